"""Tables that people take away: CSV and XLSX, as a Norwegian spreadsheet reads them.

CSV has semicolons and a byte order mark. No cell is a formula: a name may begin with = + - or @, and a spreadsheet that
reads it as a formula runs it.
"""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from dataflyt.errors import ConfigError, known_refusal

if TYPE_CHECKING:
    import pandas as pd

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""The first letters of a text that a spreadsheet may read as a formula."""

MOST: Final = 1_048_575
"""The most rows of a sheet, below its heads."""


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


def stream(chunks: Iterable["pd.DataFrame"], out: IO[bytes], ending: str, title: str) -> int:
    """Write the chunks of one table to an open file as they come, as ``.csv`` or ``.xlsx``; return the number of rows.

    For tables that are too large to hold. A letter that cannot be printed (a control, a change of direction) becomes a
    blank, and times are written in Norway's. Raises ConfigError for more rows than a sheet can have.
    """
    tidy = (_tidied(chunk) for chunk in chunks)
    return _stream_csv(tidy, out) if ending == ".csv" else _stream_sheet(tidy, out, title)


def _stream_csv(chunks: Iterable["pd.DataFrame"], out: IO[bytes]) -> int:
    rows = 0
    written = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    for place, chunk in enumerate(chunks):
        chunk.map(_as_text).to_csv(written, sep=";", decimal=",", index=False, header=place == 0, lineterminator="\r\n")
        rows += len(chunk)
    written.detach()  # flushes it, and leaves the file open
    return rows


def _stream_sheet(chunks: Iterable["pd.DataFrame"], out: IO[bytes], title: str) -> int:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    def cell(value: object) -> object:
        made = WriteOnlyCell(sheet, value)
        if isinstance(value, str) and value.startswith(FORMULA):
            made.data_type, made.quotePrefix = "s", True
        return made

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    rows = 0
    try:
        for place, chunk in enumerate(chunks):
            if place == 0:
                sheet.append(list(chunk.columns))
            rows += len(chunk)
            if rows > MOST:
                raise ConfigError("Et regneark kan ikke ha så mange rader: skriv et filnavn som slutter på .csv.")
            for line in chunk.itertuples(index=False, name=None):
                sheet.append([cell(value) for value in line])
    except BaseException:
        sheet.close()  # else its half-written file complains when Python forgets it
        raise
    book.save(out)
    return rows


def _tidied(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return a frame of plain values: text that can be printed, days as dates, times in Norway's, and None."""
    import pandas as pd

    from dataflyt.formats.dates import OSLO

    tidy = {}
    for name, column in frame.reset_index(drop=True).items():
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            moments = column.dt.tz_convert(OSLO).dt.tz_localize(None)
            column = pd.Series([None if one is pd.NaT else one.to_pydatetime() for one in moments], dtype=object)
        elif pd.api.types.is_datetime64_dtype(column.dtype):
            column = pd.Series([None if one is pd.NaT else one.date() for one in column], dtype=object)
        else:
            column = column.astype(object).where(column.notna(), None)
        tidy[name] = column.map(_printable, na_action="ignore")
    return pd.DataFrame(tidy)


def _printable(cell: object) -> object:
    r"""Return a cell; of text the letters that can be printed, and blanks in place of the others.

    >>> _printable("Ola\n\u202eNordmann"), _printable("\t=1+1"), _printable(3)
    ('Ola  Nordmann', '=1+1', 3)
    """
    if not isinstance(cell, str):
        return cell
    return "".join(letter if letter.isprintable() else " " for letter in cell).strip()
