"""Tables that people take away: CSV and XLSX, as a Norwegian spreadsheet reads them.

CSV has semicolons and a byte order mark. No cell is a formula: a name may begin with = + - or @, and a spreadsheet that
reads it as a formula runs it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from dataflyt.errors import ConfigError, known_refusal

if TYPE_CHECKING:
    import pandas as pd

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""The first letters of a text that a spreadsheet may read as a formula."""


def write(frame: "pd.DataFrame", file: Path, title: str, *, fixed: int = 2) -> None:
    """Write a table to a file that ends in ``.csv`` or ``.xlsx``; ``title`` is the sheet's name.

    The first row and the ``fixed`` first columns of a sheet stay in sight. Raises ConfigError for another ending, and
    for a file that cannot be written.
    """
    if file.suffix.lower() not in (".csv", ".xlsx"):
        raise ConfigError("Skriv et filnavn som slutter på .csv eller .xlsx.")
    try:
        if file.suffix.lower() == ".csv":
            frame.map(_as_text).to_csv(file, sep=";", decimal=",", index=False, encoding="utf-8-sig")
        else:
            _write_sheet(frame, file, title, fixed)
    except OSError as error:
        raise ConfigError(f"{file} kan ikke skrives: {known_refusal(error) or type(error).__name__}.") from None


def _as_text(cell: object) -> object:
    """Return a cell of CSV, which has no types: a quote before it makes it text.

    >>> _as_text("=1+1"), _as_text("Ola"), _as_text(-3)
    ("'=1+1", 'Ola', -3)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _write_sheet(frame: "pd.DataFrame", file: Path, title: str, fixed: int) -> None:
    import pandas as pd

    with pd.ExcelWriter(file, engine="openpyxl") as book:
        frame.to_excel(book, index=False, sheet_name=title, freeze_panes=(1, fixed))
        for row in book.sheets[title].iter_rows(min_row=2):
            for cell in row:
                if isinstance(cell.value, str) and cell.value.startswith(FORMULA):
                    cell.data_type, cell.quotePrefix = "s", True
