-- Hide the sizes of tables from roles that may not read them. Run as a superuser in the warehouse's database, once and
-- after each upgrade of the server to a new major version; "dataflyt doctor" says when it has not been run.
--
-- PostgreSQL tells every role that may log in how many rows each table has and how many are written to it (pg_class,
-- pg_stat_all_tables, pg_relation_size). For a kommune's tables these numbers tell how many people are protected, and
-- since when. Members of pg_monitor, the roles that watch the server, can still read them.
do $$
declare
    readable text;
    told regprocedure;
begin
    select string_agg(quote_ident(attname), ', ') into readable
    from pg_attribute
    where attrelid = 'pg_class'::regclass and not attisdropped
        and attname not in ('relpages', 'reltuples', 'relallvisible', 'relallfrozen');
    revoke select on pg_class from public;
    execute format('grant select (%s) on pg_class to public', readable);
    grant select on pg_class to pg_monitor;
    for told in
        select oid from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace and (
            proname like 'pg\_stat\_get\_%' and proname not like 'pg\_stat\_get\_backend\_%'
                and proname <> 'pg_stat_get_activity'
            or proname in ('pg_relation_size', 'pg_table_size', 'pg_indexes_size', 'pg_total_relation_size',
                'pg_database_size', 'pg_tablespace_size')
        )
    loop
        execute format('revoke execute on function %s from public', told);
        execute format('grant execute on function %s to pg_monitor', told);
    end loop;
end
$$;
