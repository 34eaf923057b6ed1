"""Tables that people take away: CSV and XLSX, as a Norwegian spreadsheet reads them, and Parquet for a notebook.

CSV has semicolons and a byte order mark. XLSX has a header row in bold that stays in sight, a filter over it, and
columns as wide as their contents; on paper a page holds them all. No cell is a formula: a name may begin with = + - or
@, and a spreadsheet that reads it as a formula runs it. Letters that XML cannot hold are left out of XLSX. Parquet has
the frame's own types and texts, and its times in UTC.

A table comes as one frame or as many with the same columns, one after another: memory holds one of them. The same
frames and the same moment give the same bytes.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from dataflyt.errors import ConfigError, known_refusal

if TYPE_CHECKING:
    import pandas as pd

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The first letters of a text that a spreadsheet may read as a formula; the last four are = + - @ in full width."""
_WITHIN: Final = re.compile(rf"([,;]\s*)(?=[{re.escape(''.join(FORMULA))}])")
ENDINGS: Final = (".csv", ".xlsx", ".parquet")
"""The endings of the files' names."""
EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
"""The time of a file in a zip file, which has to have one, and cannot have an earlier."""
NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROWEST, _WIDEST = 8, 60
_BREATH = 4
"""Letters beyond a column's longest text: the filter's button takes two."""
MOST: Final = 1_048_575
"""The most rows of a sheet, below its heads."""


def write(frame: "pd.DataFrame", file: Path, title: str, *, fixed: int = 2) -> None:
    """Write a table to a file with one of the ``ENDINGS``; ``title`` is the sheet's name.

    The first row and the ``fixed`` first columns of a sheet stay in sight. Raises ConfigError for another ending, and
    for a file that cannot be written.
    """
    must_have_ending(file)
    try:
        with file.open("wb") as out:
            if file.suffix.lower() == ".csv":
                write_csv([frame], out)
            elif file.suffix.lower() == ".parquet":
                write_parquet([frame], out)
            else:
                write_xlsx([frame], out, title, fixed=fixed, letters=longest(frame))
    except OSError as error:
        raise ConfigError(f"{file} kan ikke skrives: {known_refusal(error) or type(error).__name__}.") from None


def must_have_ending(file: Path) -> None:
    """Raise ConfigError for a file whose name has none of the ``ENDINGS``."""
    if file.suffix.lower() not in ENDINGS:
        raise ConfigError("Skriv et filnavn som slutter på .csv, .xlsx eller .parquet.")


def longest(frame: "pd.DataFrame") -> dict[str, int]:
    """Return the number of letters in each column's longest text."""
    return {name: max((len(str(value)) for value in frame[name]), default=0) for name in frame.columns}


def stream(chunks: Iterable["pd.DataFrame"], out: BinaryIO, ending: str, title: str) -> int:
    """Write the chunks of one table to an open file as they come, by one of the ``ENDINGS``; return the number of rows.

    For tables that are too large to hold. In CSV and XLSX a letter that cannot be printed (a control, a change of
    direction) becomes a blank, and times are Norway's. Raises ConfigError for more rows than a sheet can have.
    """
    rows = 0

    def counted() -> Iterator["pd.DataFrame"]:
        nonlocal rows
        for chunk in chunks:
            rows += len(chunk)
            if ending == ".xlsx" and rows > MOST:
                raise ConfigError(
                    "Et regneark kan ikke ha så mange rader: skriv et filnavn som slutter på .csv eller .parquet."
                )
            yield chunk

    if ending == ".csv":
        write_csv(map(_tidied, counted()), out)
    elif ending == ".parquet":
        write_parquet(counted(), out)
    else:
        write_xlsx(map(_tidied, counted()), out, title)
    return rows


def write_parquet(frames: Iterable["pd.DataFrame"], out: IO[bytes]) -> None:
    """Write frames to ``out`` as one table in Parquet. Every frame has the types of the first one's columns."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    left = iter(frames)
    first = next(left)
    schema = pyarrow.Schema.from_pandas(first, preserve_index=False)
    with ParquetWriter(out, schema) as writer:
        for frame in chain([first], left):
            writer.write_table(pyarrow.Table.from_pandas(frame, schema, preserve_index=False))


def write_csv(frames: Iterable["pd.DataFrame"], out: BinaryIO) -> None:
    """Write frames to ``out`` as one table in CSV; the first one's columns are its heads."""
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    for at, frame in enumerate(frames):
        frame.map(_as_text).to_csv(text, sep=";", decimal=",", index=False, header=at == 0, lineterminator="\r\n")
    text.detach()  # the caller closes the file


def write_xlsx(
    frames: Iterable["pd.DataFrame"],
    out: IO[bytes],
    title: str,
    *,
    fixed: int = 0,
    letters: Mapping[str, int] | None = None,
    made: datetime | None = None,
) -> None:
    """Write frames to ``out`` as one sheet. The first row and the ``fixed`` first columns stay in sight.

    ``letters`` is the number of letters in each column's longest text, which has to be known before the first row is
    written. ``made`` is the moment that the file says it was made at: without it, ``EARLIEST``.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet._writer import WorksheetWriter
    from openpyxl.worksheet.properties import PageSetupProperties
    from openpyxl.writer.excel import ExcelWriter

    class Nameless(WorksheetWriter):  # type: ignore[misc]  # openpyxl has no types
        """The rows on their way. openpyxl's own file has a name, and stays with the rows when the process is killed."""

        def cleanup(self) -> None:
            """Leave the file to its ``with``."""

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    book.properties.created = book.properties.modified = (made or datetime(*EARLIEST)).replace(tzinfo=None)
    sheet.freeze_panes = f"{get_column_letter(fixed + 1)}2"
    # On paper: lying, no wider than a page, and with the heads on each.
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9  # A4
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.fitToHeight = 0
    sheet.print_title_rows = "1:1"

    def cell(value: object, *, head: bool = False) -> object:
        if not isinstance(value, str):
            return value
        # Without a type of its own, "=1" would be a formula and "#N/A" an error.
        one = WriteOnlyCell(sheet, NOT_IN_XML.sub("", value))
        one.data_type = "s"
        if head:
            one.font = Font(bold=True)
        elif value.startswith(FORMULA):
            one.quotePrefix = True
        return one

    rows = columns = 0
    with TemporaryFile() as between:
        try:
            for frame in frames:
                if not rows:
                    columns = len(frame.columns)
                    for at, name in enumerate(frame.columns, 1):
                        most = max((letters or {}).get(name, 0), len(str(name)))
                        width = min(max(most + _BREATH, _NARROWEST), _WIDEST)
                        sheet.column_dimensions[get_column_letter(at)].width = width
                    sheet._writer = Nameless(sheet, out=between)
                    sheet._writer.write_top()  # with the columns' widths, which stand before the rows
                    sheet.append([cell(str(name), head=True) for name in frame.columns])
                    rows = 1
                bare = frame.astype(object)
                for row in bare.where(frame.notna(), None).itertuples(index=False, name=None):
                    sheet.append([cell(value) for value in row])
                    rows += 1
        except BaseException:
            if rows:
                with suppress(Exception):
                    sheet.close()  # its parts must be closed in their order
            raise
        if rows:
            sheet.auto_filter.ref = f"A1:{get_column_letter(columns)}{rows}"
        else:  # no frame came at all
            sheet._writer = Nameless(sheet, out=between)
            sheet._writer.write_top()
        ExcelWriter(book, _Archive(out, "w", ZIP_DEFLATED)).save()


class _Archive(ZipFile):
    """A zip file in which every file has the same time: openpyxl writes the clock's."""

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **options: Any) -> None:
        one = zipped(zinfo_or_arcname) if isinstance(zinfo_or_arcname, str) else zinfo_or_arcname
        super().writestr(one, data, *args, **options)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **options: Any) -> None:
        filename.seek(0)  # the file of a sheet's rows, which has no name
        with self.open(zipped(arcname), "w", force_zip64=False) as target:
            while piece := filename.read(1 << 16):
                target.write(piece)


def zipped(name: str) -> ZipInfo:
    """Return a file of a zip file, compressed, whose entry does not depend on the clock or the machine.

    >>> zipped("a.csv").date_time
    (1980, 1, 1, 0, 0, 0)
    """
    info = ZipInfo(name, EARLIEST)
    info.compress_type, info.create_system, info.external_attr = ZIP_DEFLATED, 3, 0o600 << 16
    return info


def as_text(cell: str) -> str:
    """Return a text as it can stand in CSV, which has no types: an apostrophe before a formula's sign makes it text.

    One goes before a sign after a comma or a semicolon too, where some spreadsheets begin a new cell.

    >>> as_text("=1+1"), as_text("Ola"), as_text("Ola, =1+1")
    ("'=1+1", 'Ola', "Ola, '=1+1")
    """
    cell = _WITHIN.sub(r"\1'", cell)
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _as_text(cell: object) -> object:
    return as_text(cell) if isinstance(cell, str) else cell


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
