-- Every number that people are shown is drawn: in a row of numbers, the gaps would tell how many decisions are about
-- protected people. Decisions from before keep their numbers.
do $$
declare
    entry text;
begin
    foreach entry in array array['access_grant', 'consent', 'publishable', 'row_decision', 'erasure'] loop
        execute format('drop trigger numbered on control.%I', entry);
        execute format(
            'create trigger numbered before insert on control.%1$I for each row when (new.%1$I is null)'
            ' execute function control.numbered_at_random()', entry);
    end loop;
end
$$;

-- The newest link about an identifier counts, so links are put in order by their time. Their numbers are drawn too.
drop trigger numbered on control.link;
create trigger numbered before insert on control.link for each row when (new.link is null)
    execute function control.numbered_at_random();

-- Numbers for the rows that one kommune takes over from another: as many as are asked for, none of them taken.
create function control.drawn_numbers(entry text, of text, many bigint) returns setof bigint language plpgsql as $$
begin
    if many > 100000 then
        raise exception using errcode = 'check_violation', message = 'too many decisions to number at once';
    end if;
    return query execute format(
        'select drawn from (select distinct 100000 + floor(random() * 900000)::bigint as drawn'
        ' from generate_series(1, 3 * $2 + 100)) as d'
        ' where not exists (select from control.%1$I where owner = $1 and %1$I = drawn) limit $2', entry)
        using of, many;
end
$$;

-- Whether somebody is held back because the earlier run has a former given name. Nobody but those who may see protected
-- people is shown that name. Rows from before count as such.
alter table control.undone_hold add column renamed boolean not null default true;

-- The second person, where the first is not known by an employee's id.
alter table control.publishable add column approved_by text, add constraint two_people check (approved_by <> decided_by);

-- People registered by hand come over too.
alter table control.taken_decision
    drop constraint taken_decision_kind_check,
    add constraint taken_decision_kind_check check (
        kind in ('access_block', 'override', 'access_grant', 'consent', 'manual_person')
    );
