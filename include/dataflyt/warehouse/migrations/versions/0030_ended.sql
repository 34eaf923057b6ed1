-- Older publications lose the files that tell of guardians when somebody's access has ended. "ended" is a digest of every
-- access that had ended when the publication was written, and "gone" has the exports whose files are deleted since. Of
-- publications from before, nobody knows what had ended.
alter table control.publication
    add column ended text,
    add column gone text[] not null default '{}';
