"""The check of the lists of access, JSON and CSV: a file in, findings out.

It demands every field, and lets no other through: what the list must not hold cannot slip in. The rows are read one at
a time. They stand by child and guardian, each pair once. No finding repeats what stands in the file.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, BinaryIO, Final

import orjson

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import walked
from dataflyt.exports.model import Finding, Openable
from dataflyt.identity import numbers

FIELDS: Final = "Felt som mangler, eller som ikke skal være der"
VALUE: Final = "Verdi som ikke kan stå i feltet"
ENVELOPE: Final = "Konvolutt som motsier seg selv"
ORDER: Final = "Rader i feil rekkefølge, eller to ganger"
NUMBER: Final = "Fødselsnummer med feil kontrollsifre"
FORMULA: Final = "Celle som et regneark leser som en formel"
CHANGED: Final = "Nummer som et regneark endrer"

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RUNS = re.compile(r"(?:^|[,;])\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_KEPT = re.compile("'.*|[1-9][0-9]{0,10}")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")
_BASES = ("foreldreansvar", "consent", "decision")
_REASONS = {None: (True, True), "no_contact": (False, False)} | dict.fromkeys(
    ("not_active", "reserved", "expired"), (True, False)
)
"""What each reason says of the envelope: whether an ordinary message can be sent, and a formal notice."""

_PARTS: Final[dict[str, tuple[set[str], set[str]]]] = {
    "child": ({"id", "number", "local_number"}, set()),
    "guardian": ({"id", "number", "given_names", "family_name"}, {"email", "mobile"}),
    "envelope": ({"message", "notice", "reason"}, set()),
}
"""The fields of each part of a row: those it must have, and those it may have."""
_COLUMNS: Final = (
    ("child", "id"),
    ("child", "number"),
    ("child", "local_number"),
    ("guardian", "id"),
    ("guardian", "number"),
    ("guardian", "given_names"),
    ("guardian", "family_name"),
    ("", "basis"),
    ("envelope", "message"),
    ("envelope", "notice"),
    ("envelope", "reason"),
    ("guardian", "email"),
    ("guardian", "mobile"),
)
_WITHOUT_CONTACT: Final = 11


def check(path: Openable) -> Iterator[Finding]:
    """Yield what is wrong with a list in JSON; raise Unreadable when it is not one."""
    return walked(path, lambda file: _walk(_json_rows(file), _json_value))


def check_csv(path: Openable) -> Iterator[Finding]:
    """Yield what is wrong with a list in CSV; raise Unreadable when it is not one."""
    return walked(path, lambda file: _walk(_csv_rows(file), _csv_value))


def _json_rows(file: BinaryIO) -> Iterator[tuple[int, Any]]:
    head = file.readline()
    try:
        said = orjson.loads(head.rstrip(b"\n") + b"]}")
        moment = datetime.fromisoformat(said["as_of"])
        if (
            (said["format"], said["version"], said["access"]) != ("dataflyt-guardians", "1.0", [])
            or set(said) != {"format", "version", "as_of", "owner", "access"}
            or set(said["owner"]) != {"orgnr", "name"}
            or moment.tzinfo is None
        ):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise Unreadable("Filen begynner ikke som en liste over foresattes tilgang.") from None
    ended, comma = False, None
    for number, line in enumerate(file, start=2):
        if ended or comma is (line == b"]}\n"):
            raise Unreadable(f"Linje {number}: listen er ikke slutt der den skal være.")
        if line == b"]}\n":
            ended = True
            continue
        row = line.removesuffix(b"\n")
        comma = row.endswith(b",")
        try:
            yield number, orjson.loads(row.removesuffix(b","))
        except orjson.JSONDecodeError:
            raise Unreadable(f"Linje {number}: linjen er ikke JSON.") from None
    if not ended:
        raise Unreadable("Filen slutter før listen er slutt.")


def _csv_rows(file: BinaryIO) -> Iterator[tuple[int, Any]]:
    lines = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), delimiter=";", strict=True)
    try:
        heads = next(lines, None)
        names = ["_".join(filter(None, ("" if part == "envelope" else part, name))) for part, name in _COLUMNS]
        if heads not in (names, names[:_WITHOUT_CONTACT]):
            raise Unreadable("Filen begynner ikke som en liste over foresattes tilgang.")
        for cells in lines:
            row: dict[str, Any] = {part: {} for part in _PARTS}
            for (part, name), cell in zip(_COLUMNS, cells, strict=False):
                if part:
                    row[part][name] = cell
                else:
                    row[name] = cell
            yield lines.line_num, row if len(cells) == len(heads) else None
    except (UnicodeDecodeError, csv.Error):
        raise Unreadable(f"Filen kan ikke leses som CSV (linje {lines.line_num + 1}).") from None


def _json_value(name: str, value: Any) -> Any:
    return value


def _csv_value(name: str, value: str) -> Any:
    """Return what a cell says: text, or yes and no; an empty cell says nothing.

    The apostrophe before a number is for spreadsheets.
    """
    if name in ("message", "notice"):
        return {"yes": True, "no": False}.get(value)
    if name in ("given_names", "family_name"):
        return value
    return (value.removeprefix("'") if name in ("number", "local_number") else value) or None


def _walk(rows: Iterator[tuple[int, Any]], read: Callable[[str, Any], Any]) -> Iterator[Finding]:
    last = ("", "")
    for line, row in rows:
        if not _has_its_fields(row):
            yield _finding(FIELDS, line, "raden har ikke akkurat feltene i beskrivelsen")
            continue
        said = {f"{part}.{name}": read(name, value) for part in _PARTS for name, value in row[part].items()} | {
            "basis": read("basis", row["basis"])
        }
        if wrong := _wrong_value(said):
            yield _finding(VALUE, line, wrong)
            continue
        if read is _csv_value:
            cells = [cell for part in _PARTS for cell in row[part].values()]
            if any(_RUNS.search(cell) for cell in cells):
                yield _finding(FORMULA, line, "cellen skal ha en apostrof foran tegnet")
            kept = [row["child"]["number"], row["child"]["local_number"], row["guardian"]["number"]]
            if any(cell and not _KEPT.fullmatch(cell) for cell in kept):
                yield _finding(CHANGED, line, "nummeret skal ha en apostrof foran seg")
        envelope = (said["envelope.message"], said["envelope.notice"])
        if _REASONS[said["envelope.reason"]] != envelope:
            yield _finding(ENVELOPE, line, "grunnen er ikke en grunn til den")
        pair = (said["child.id"], said["guardian.id"])
        if pair <= last:
            yield _finding(ORDER, line, "raden skulle stått lenger opp, eller står der")
        last = pair
        for whose, number in (("child", said["child.number"]), ("guardian", said["guardian.number"])):
            if number and not numbers.parse(number).valid:
                yield _finding(NUMBER, line, "barnets" if whose == "child" else "den foresattes", blocks=False)


def _has_its_fields(row: Any) -> bool:
    if not isinstance(row, dict) or row.keys() != {*_PARTS, "basis"}:
        return False
    return all(
        isinstance(row[part], dict) and must <= row[part].keys() <= must | may for part, (must, may) in _PARTS.items()
    )


def _wrong_value(said: dict[str, Any]) -> str | None:
    """Return the first field with a value that it cannot have, or None."""
    for name, value in said.items():
        if name in ("envelope.message", "envelope.notice"):
            right = isinstance(value, bool)
        elif name == "envelope.reason":
            right = value is None or (isinstance(value, str) and value in _REASONS)
        elif name == "basis":
            right = value in _BASES
        elif name.endswith(".id"):
            right = isinstance(value, str) and bool(_ID.fullmatch(value))
        elif value is None:
            right = name in ("child.number", "child.local_number", "guardian.email", "guardian.mobile")
        else:
            right = isinstance(value, str) and not _UNSEEN.search(value)
        if not right:
            return name
    return None


def _finding(name: str, line: int, detail: str, *, blocks: bool = True) -> Finding:
    return Finding(name, f"linje {line}", detail, line, blocks=blocks)
