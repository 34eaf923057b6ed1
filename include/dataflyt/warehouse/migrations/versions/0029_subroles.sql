-- Empty until a run has computed them: a file that is published anew before that has the roles that it had.
alter table golden.membership
    add column staff_role text,
    add column subrole text;
alter table golden.employment
    add column staff_role text,
    add column subrole text,
    add column teacher_subrole text;
