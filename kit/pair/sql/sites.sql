-- The reporter's kind of table. Both servers have it; only production has rows.
create table if not exists sites (
    id         serial primary key,
    name       text not null,
    url        text not null unique,
    status     text not null default 'active',
    created_at timestamptz not null default now()
);
