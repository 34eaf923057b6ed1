"""The exports that a kommune file can name, each with the title that people read.

A line here and a module ``dataflyt.exports.<name>`` are an export (``docs/develop/add-an-export.md``). The kommune
file's choices, the template for a new kommune, the DAGs' pages and the reference pages come from this table. It imports
no export: a DAG file is parsed often, and what writes the exports is slow to import.
"""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

EXPORTS: Final = {
    "feide_ldif": "FEIDE (LDIF)",
    "pifu": "PIFU-IMS 1.3",
}

if TYPE_CHECKING:
    ExportName: TypeAlias = str
else:  # mypy takes no Literal that is computed; pydantic does, and refuses every other name
    ExportName = Literal[tuple(EXPORTS)]

CHOICES: Final = f"skriv én eller flere av [{', '.join(EXPORTS)}]"
"""What to write for ``exports`` in a kommune file, as its error says it."""
