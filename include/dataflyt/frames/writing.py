"""Write a table to a new file that only its owner can read: CSV, XLSX or Parquet."""

import os
import shutil
import tempfile
from pathlib import Path

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, known_refusal
from dataflyt.formats import sheets
from dataflyt.frames.reading import chunks
from dataflyt.run.environment import Environment
from dataflyt.warehouse.audit import Visitor


def write(
    kommune: Kommune,
    environment: Environment,
    table: str,
    visitor: Visitor | None,
    file: Path,
    *,
    run: int | None = None,
    graded: bool = False,
    numbers: bool = False,
) -> int:
    """Write a table as ``reading.read`` reads it, in bounded memory; return the number of rows.

    The rows wait in a file without a name until the audit is kept, and are never in ``file`` without it. Raises
    ConfigError for another ending, for a file that is there already, and for one that cannot be written; also the
    errors of ``reading.read``. Nobody is looked at before the file's name is found good.
    """
    _must_be_new(file)
    try:
        with tempfile.TemporaryFile(dir=file.parent) as waiting:
            with chunks(kommune, environment, table, visitor, run=run, graded=graded, numbers=numbers) as found:
                rows = sheets.stream(found, waiting, file.suffix.lower(), table)
            waiting.seek(0)
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
            try:
                with os.fdopen(number, "wb") as out:
                    shutil.copyfileobj(waiting, out)
            except BaseException:
                file.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise ConfigError(_THERE.format(file=file)) from None
    except OSError as error:
        raise ConfigError(f"{file} kan ikke skrives: {known_refusal(error) or type(error).__name__}.") from None
    return rows


_THERE = "{file} finnes fra før, og skrives ikke over: velg et annet navn med --out, eller ta filen bort."


def _must_be_new(file: Path) -> None:
    sheets.must_have_ending(file)
    if os.path.lexists(file):
        raise ConfigError(_THERE.format(file=file))
