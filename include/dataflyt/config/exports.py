"""The exports that a kommune file can name, each with the title that people read.

A line here and a module ``dataflyt.exports.<name>`` are an export (``docs/develop/add-an-export.md``). The kommune
file's choices, the template for a new kommune, the DAGs' pages and the reference pages come from this table. This
module imports no export: a DAG file is parsed often, and the exports are slow to import.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

EXPORTS: Final = {
    "feide_ldif": "FEIDE (LDIF)",
    "pifu": "PIFU-IMS 1.3",
    "pifu_1_2": "PIFU-IMS 1.2",
    "pifu_1_1": "PIFU-IMS 1.1",
    "guardians": "Foresattes tilgang (JSON)",
    "guardians_csv": "Foresattes tilgang (CSV)",
    "class_list": "Klasselister (CSV og XLSX)",
    "oneroster": "OneRoster 1.2 (CSV)",
    "sds": "School Data Sync 2.1 (CSV)",
    "calendar": "Kalendere (iCalendar)",
}

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "guardians": ("contact",),
    "guardians_csv": ("contact",),
    "oneroster": ("numbers", "birth_dates", "contact", "guardians"),
    "sds": ("birth_dates", "contact", "guardians"),
}
"""What a kommune's file can let an export hold (``export_extras``). Without its word the export has none of it.

``numbers``: fødselsnummer, D-number or local number. ``contact``: e-mail at work, and a guardian's own e-mail and
mobile. ``guardians``: the adults with access to a pupil, and to which.
"""

ALWAYS_WITH_CONTACT: Final = frozenset({"pifu", "pifu_1_2", "pifu_1_1"})
"""The exports whose file has guardians' own e-mail and mobile without any word of the kommune's file."""

WITHOUT_GUARDIANS: Final = frozenset({"feide_ldif", "class_list", "calendar"})
"""The exports whose file never tells of a guardian. Others do, or where the kommune's file gives them guardians."""

if TYPE_CHECKING:
    ExportName: TypeAlias = str
else:  # mypy does not accept a computed Literal; pydantic does, and refuses every other name
    ExportName = Literal[tuple(EXPORTS)]

CHOICES: Final = f"skriv én eller flere av [{', '.join(EXPORTS)}]"
"""The Norwegian text of an error about ``exports`` in a kommune file: what to write there."""
