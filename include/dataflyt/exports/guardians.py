"""The list of access as JSON, for the school administration system: a row for each pupil and adult with access.

In: a ``Shown``. Out: one JSON object, whose schema is ``docs/reference/guardians.schema.json``. Each access stands on a
line of its own, by the ids of child and guardian, so that a receiver can read it a line at a time. The same input gives
the same bytes.

The list is whole: an adult who is not in it has no access, whatever the reason, and nothing tells the reason. Nobody
hidden is in it. Each row says the basis (foreldreansvar, consent or decision) and the envelope: whether an ordinary
message and a formal notice can be sent, and why not. Where contact details may not be shown, the envelope is that of
somebody who has none. The child is given by numbers alone, since the school system has its name. E-mail and mobile are
left out unless the kommune's file says ``export_extras: {guardians: [contact]}``.

The format is Dataflyt's own. ``guardians_csv`` writes the same rows for a spreadsheet.
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import orjson

from dataflyt.exports.guardians_check import check
from dataflyt.exports.model import Access, Counts, Export, Shown
from dataflyt.identity.names import clean

FORMAT: Final = "dataflyt-guardians"
VERSION: Final = "1.0"


def write(shown: Shown, out: BinaryIO) -> Counts:
    """Write the accesses to ``out`` and return the counts."""
    owner = shown.owner()
    head = {
        "format": FORMAT,
        "version": VERSION,
        "as_of": shown.as_of().isoformat(),
        "owner": {"orgnr": owner.orgnr, "name": clean(owner.name)},
    }
    counted = Counted(shown.accesses("guardians"))
    out.write(orjson.dumps(head).removesuffix(b"}") + b',"access":[')
    before = b"\n"
    for access in counted:
        out.write(before + orjson.dumps(_row(access)))
        before = b",\n"
    out.write(b"\n]}\n")
    return counted.counts(shown)


def _row(access: Access) -> dict[str, Any]:
    guardian = {
        "id": access.guardian_id,
        "number": clean(access.guardian_number),
        "given_names": clean(access.given_names),
        "family_name": clean(access.family_name),
    }
    contact = {"email": access.mail, "mobile": access.mobile}
    return {
        "child": {
            "id": access.child_id,
            "number": clean(access.child_number or "") or None,
            "local_number": clean(access.child_local_number or "") or None,
        },
        "guardian": guardian | {name: clean(value) for name, value in contact.items() if value},
        "basis": access.basis,
        "envelope": {"message": access.message, "notice": access.notice, "reason": access.reason},
    }


class Counted:
    """Accesses by child, counted as they pass."""

    def __init__(self, accesses: Iterable[Access]) -> None:
        self._accesses = accesses
        self._children = 0
        self._rows = 0

    def __iter__(self) -> Iterator[Access]:
        child = None
        for access in self._accesses:
            self._children += access.child_id != child
            self._rows += 1
            child = access.child_id
            yield access

    def counts(self, shown: Shown) -> Counts:
        """Return what has passed: the pupils to whom somebody has access, and never the guardians."""
        return Counts(
            owners=1,
            schools=sum(1 for _ in shown.schools()),
            people=self._children,
            pupils=self._children,
            employees=0,
            groups=0,
            memberships=0,
            left_out=0,
        )


EXPORT: Final = Export(name="guardians", file="guardians.json", write=write, check=check)
