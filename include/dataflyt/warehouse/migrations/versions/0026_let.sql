-- What gives waits for a run: a row is there when a run has let the recipient have the export, and "contact" says
-- whether with contact details. Until now the kommune file alone said so. "digest" is null from before the first file is
-- put there until the manifest is: what lies there then is not known, and may be a part. "place" is now the digest of
-- the address without its password. It is made anew, and the files are delivered once more: nobody sees every row here.
alter table control.delivery
    alter column digest drop not null,
    drop column place,
    add column place text check (length(place) = 64),
    add column contact boolean not null default true;
alter table control.delivery alter column contact drop default;
