"""The formats that a file of the HR system or the school system may have.

A line here and a module ``sources/hr/<name>.py`` or ``sources/sas/<name>.py`` are a format
(``docs/develop/add-a-format.md``). The kommune file's choices, its complaint, the help of ``dataflyt read`` and the
reference pages come from these tables. No source is imported: a DAG file is parsed often, and the readers are slow to
import.
"""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

HR: Final = {
    "stamdata3": "xml",
    "visma": "xml",
}
"""The formats of the HR system's file, each with the suffix of its landed copy."""
SAS: Final = {
    "pifu": "xml",
    "oneroster": "zip",
}
"""The formats of the school system's file, each with the suffix of its landed copy."""
TIMETABLES: Final = {"csv": "timetable", "ics": "ical"}
"""The format of a timetable by its suffix."""

if TYPE_CHECKING:
    HrFormat: TypeAlias = str
    SasFormat: TypeAlias = str
else:  # mypy does not accept a computed Literal; pydantic does, and refuses every other name
    HrFormat = Literal[tuple(HR)]
    SasFormat = Literal[tuple(SAS)]

WRITE_HR: Final = f"skriv {' eller '.join(HR)}"
WRITE_SAS: Final = f"skriv {' eller '.join(SAS)}"
"""The Norwegian text of an error about ``format`` in a kommune file: what to write there."""
