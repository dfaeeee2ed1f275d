-- The 731 sites of production, the same in every pair and after every reset.
insert into sites (name, url, status, created_at)
select 'Site ' || lpad(number::text, 3, '0'),
       'https://site-' || lpad(number::text, 3, '0') || '.example.org/',
       case when number % 29 = 0 then 'archived' when number % 7 = 0 then 'paused' else 'active' end,
       timestamptz '2023-10-01 00:00:00+00' + number * interval '1 hour'
from generate_series(1, 731) as number
order by number;
