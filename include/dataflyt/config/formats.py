"""The formats that a file of the HR system or the school system may have.

A format is one module, ``sources/hr/<name>.py`` or ``sources/sas/<name>.py``, and one line here. The kommune file's
choice of ``format``, its complaint and the docs come from these tables; ``sources`` finds the module by its name.
docs/develop/add-a-format.md goes through it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FileFormat:
    """``title`` is what the file is called in Norwegian; ``suffix`` ends the name of its landed copy."""

    title: str
    suffix: str


HR = {
    "stamdata3": FileFormat("Stamdata3 fra Unit4 ERP (Agresso)", "xml"),
    "visma": FileFormat("personsXML fra Visma Enterprise HRM", "xml"),
}
SAS = {
    "pifu": FileFormat("PIFU-IMS", "xml"),
    "oneroster": FileFormat("OneRoster i CSV", "zip"),
}
TIMETABLES = {"csv": "timetable", "ics": "ical"}
"""The format of a timetable by the suffix of its file."""
