"""The list of access as CSV: the rows of ``guardians``, for a spreadsheet and for a system that reads no JSON.

In: a ``Shown``. Out: UTF-8 with a byte order mark, ``;`` between the fields, a line of heads first; one line a pupil
and an adult. A spreadsheet shall show what stands there, so an apostrophe goes

- before a cell that it could take for a formula, and before a sign inside a cell that it could take for one after a
  comma or a semicolon, where some spreadsheets begin a new cell;
- before a number that it would change: one that begins with 0, as every third identity number does, one of more than 11
  digits, and a local number with anything else than digits (``1-2`` is a day, ``1E5`` is 100000).

A system that needs every value as it is reads the JSON. The columns of e-mail and mobile are there only where the
kommune's file says ``export_extras: {guardians_csv: [contact]}``. What the rows mean stands in ``guardians``.
"""

import csv
import io
import re
from typing import BinaryIO, Final

from dataflyt.exports.guardians import Counted
from dataflyt.exports.guardians_check import check_csv
from dataflyt.exports.model import Counts, Export, Shown
from dataflyt.formats.sheets import as_text
from dataflyt.identity.names import clean

HEADS: Final = (
    "child_id",
    "child_number",
    "child_local_number",
    "guardian_id",
    "guardian_number",
    "guardian_given_names",
    "guardian_family_name",
    "basis",
    "message",
    "notice",
    "reason",
)
CONTACT: Final = ("guardian_email", "guardian_mobile")
NUMBERS: Final = ("child_number", "child_local_number", "guardian_number")
_SAME_AS_NUMBER = re.compile("[1-9][0-9]{0,10}")


def write(shown: Shown, out: BinaryIO) -> Counts:
    """Write the accesses to ``out`` and return the counts."""
    contact = "contact" in shown.extras("guardians_csv")
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    lines = csv.writer(text, delimiter=";", lineterminator="\r\n")
    lines.writerow(HEADS + CONTACT if contact else HEADS)
    counted = Counted(shown.accesses("guardians_csv"))
    for one in counted:
        ids = (one.child_id, one.child_number, one.child_local_number, one.guardian_id, one.guardian_number)
        said = (one.basis, _yes(one.message), _yes(one.notice), one.reason)
        row = (*ids, one.given_names, one.family_name, *said, *((one.mail, one.mobile) if contact else ()))
        lines.writerow([_cell(head, value or "") for head, value in zip(HEADS + CONTACT, row, strict=False)])
    text.detach()  # the caller closes the file
    return counted.counts(shown)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _cell(head: str, value: str) -> str:
    value = as_text(clean(value))
    changed = head in NUMBERS and value and not _SAME_AS_NUMBER.fullmatch(value)
    return f"'{value}" if changed and not value.startswith("'") else value


EXPORT: Final = Export(name="guardians_csv", file="guardians.csv", write=write, check=check_csv)
