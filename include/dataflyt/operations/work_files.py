"""The work list as a table that people take away: CSV or XLSX."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from dataflyt.config.kommune import Kommune
from dataflyt.formats import sheets
from dataflyt.operations.work_list import Item
from dataflyt.why.correcting import CORRECTORS


def write_table(kommune: Kommune, listed: Sequence[Item], file: Path, today: date, *, numbers: bool = False) -> None:
    """Write items as CSV or XLSX, by the file's ending. Raises the errors of ``sheets.write``."""
    import pandas as pd

    frame = pd.DataFrame(
        [row(kommune, item, today, numbers=numbers) for item in listed],
        columns=list(_HEADS) + ([_NUMBER] if numbers else []),
    ).astype({"Dager": "Int64"})
    sheets.write(frame, file, "Arbeidsliste")


_HEADS = (
    *("Id", "Hva", "Gjelder", "Om", "Skole", "Organisasjonsnummer", "Rettes av", "Hvor", "Gjør dette"),
    *("Siden", "Dager", "Ny", "Tatt av"),
)
_NUMBER = "Fødselsnummer"


def row(kommune: Kommune, item: Item, today: date, *, numbers: bool = False) -> dict[str, Any]:
    """Return an item as a row of the table, by the Norwegian heads. ``today`` is the day that ages are counted to."""
    owner = CORRECTORS[item.owner]
    names = {one.id: one.name for one in kommune.people}
    days = max((today - item.since).days, 0) if item.since else None
    cells = (
        *(item.id, item.about.title, item.whom, item.beside, item.school, item.unit_id or ""),
        *(owner.title, owner.where, item.about.todo),
        *(item.since, days, "ja" if item.new else "", names.get(item.taken_by or "", item.taken_by or "")),
    )
    return dict(zip(_HEADS, cells, strict=True)) | ({_NUMBER: item.number or ""} if numbers else {})
