-- The page of all runs tells who answered, to those who may see the kommune: Airflow tells them the same. Still neither
-- the plan's digest nor the approvers that the kommune's file named.
grant select (user_name) on control.approval to dataflyt_web;
