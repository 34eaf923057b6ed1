-- The people that FREG names in its list and leaves out of its answers. They are reported once, on the work list, and
-- asked about once a day.
alter table events.waiting add column unanswered_since timestamptz, add column ask_after timestamptz;
grant update (unanswered_since, ask_after) on events.waiting to dataflyt_kommune;

-- The time when the list last gave an event, and whether it then said that there are newer events that cannot be read
-- yet.
alter table events.pointer add column event_at timestamptz, add column ahead boolean not null default false;
