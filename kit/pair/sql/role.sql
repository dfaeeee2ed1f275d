-- The plain role that a project connects as, and what it owns. Whoever runs this names the role in kit.role and
-- gives its password, or a SCRAM verifier of it, in kit.password.
do $$
begin
    if not exists (select from pg_roles where rolname = current_setting('kit.role')) then
        execute format('create role %I login password %L', current_setting('kit.role'), current_setting('kit.password'));
    end if;
    execute format('alter database %I owner to %I', current_database(), current_setting('kit.role'));
    execute format('alter table sites owner to %I', current_setting('kit.role'));
end
$$;
