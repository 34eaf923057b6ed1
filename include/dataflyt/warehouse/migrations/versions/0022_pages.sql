-- What came of a closed run, and the few figures of its report that the page of all kommuner shows (JSON). Older runs
-- have neither.
alter table control.run add column outcome text, add column figures text;

-- The role of that page. It reads of a run what is told to everybody who may see the kommune's DAG, and no answer's
-- name. Never "report", which also holds doubts about protection.
grant usage on schema control to dataflyt_web;
grant select (owner, run, key, as_of, state, outcome, figures) on control.run to dataflyt_web;
grant select (owner, approval, run, answer) on control.approval to dataflyt_web;
create policy all_rows on control.run for select to dataflyt_web using (true);
create policy all_rows on control.approval for select to dataflyt_web using (true);
