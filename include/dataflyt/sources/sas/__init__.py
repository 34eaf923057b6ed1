"""The source sas: the school administration system, such as Vigilo."""

TIMETABLE = "timetable"
"""The phase of the page that is a copy of the timetable's file."""
CALENDARS = "calendar"
"""The phase of the pages from links to calendars, one page for each link."""
