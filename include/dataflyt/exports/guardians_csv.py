"""The list of access as CSV: the rows of ``guardians``, for a spreadsheet and for a system that reads no JSON.

In: a ``Shown``. Out: UTF-8 with a byte order mark, ``;`` between the fields, a line of heads first; one line a pupil
and an adult. A cell that a spreadsheet could take for a formula has an apostrophe before it (``formats.sheets``): a
system that needs every value as it is reads the JSON. The columns of e-mail and mobile are there only where the
kommune's file says ``export_extras: {guardians_csv: [contact]}``. What the rows mean stands in ``guardians``.
"""

import csv
import io
from typing import BinaryIO, Final

from dataflyt.exports.guardians import Counted
from dataflyt.exports.guardians_check import check_csv
from dataflyt.exports.model import Counts, Export, Shown
from dataflyt.formats.sheets import FORMULA
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
        lines.writerow([_cell(value or "") for value in row])
    text.detach()  # the caller closes the file
    return counted.counts(shown)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _cell(value: str) -> str:
    value = clean(value)
    return f"'{value}" if value.startswith(FORMULA) else value


EXPORT: Final = Export(name="guardians_csv", file="guardians.csv", write=write, check=check_csv)
