-- Whom FREG tells of in its list and leaves out of its answers: told of once, on the work list, and asked about once a day.
alter table events.waiting add column unanswered_since timestamptz, add column ask_after timestamptz;
grant update (unanswered_since, ask_after) on events.waiting to dataflyt_kommune;

-- When the list last gave an event, and whether it then said that there are newer ones that cannot be read yet.
alter table events.pointer add column event_at timestamptz, add column ahead boolean not null default false;
