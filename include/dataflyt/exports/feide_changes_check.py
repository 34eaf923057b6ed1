"""The check of the changes of a FEIDE directory: LDIF with ``changetype`` in, findings out.

The file is read one change at a time, as ``ldapmodify`` does. The check has no directory: it finds what no directory
could take in this order, and what must never be in the file. No finding repeats what stands in the file.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import walked
from dataflyt.exports.model import Finding, Openable
from dataflyt.formats import ldif

NOT_A_CHANGE: Final = "Ukjent endring"
ORDER: Final = "Endring i feil rekkefølge"
TWICE: Final = "Samme oppføring to ganger"
AUTHENTICATION: Final = "Endring av passord"
FORMER_NAME: Final = "Nytt navn på en person"
INCOMPLETE: Final = "Ufullstendig endring"

_OPERATIONS = ("add", "delete", "replace")
_LEADS = re.compile(rb"# from: [0-9a-f]{64}\n# to: [0-9a-f]{64}\n\n")
_LEAD_BYTES = 145


def check(path: Openable) -> Iterator[Finding]:
    """Yield what is wrong with a file of changes; raise Unreadable when it is not one."""
    return walked(path, _walk)


def _walk(file: BinaryIO) -> Iterator[Finding]:
    if not _LEADS.fullmatch(file.read(_LEAD_BYTES)):
        raise Unreadable("Filen sier ikke hvilken fil den endrer, og hvilken den fører til.")
    file.seek(0)
    deleted: set[int] = set()
    added: set[int] = set()
    changing = people = False
    for change in ldif.changes(file):
        dn, is_person = hash(ldif.normal_dn(change.dn)), change.dn.lower().startswith("uid=")
        if any(
            name == "userpassword" or (name in _OPERATIONS and said.text.lower() == "userpassword")
            for name, said in change.lines
        ):
            yield _finding(AUTHENTICATION, change.line, "passord hører katalogen til")
        if change.kind == "delete":
            if changing:
                yield _finding(ORDER, change.line, "slettinger kommer først")
            if dn in deleted:
                yield _finding(TWICE, change.line, "oppføringen er slettet ovenfor")
            deleted.add(dn)
            continue
        changing = True
        if dn in deleted:
            yield _finding(TWICE, change.line, "oppføringen er slettet ovenfor")
        if change.kind == "add":
            if dn in added:
                yield _finding(TWICE, change.line, "oppføringen er lagt til ovenfor")
            if people and not is_person:
                yield _finding(ORDER, change.line, "skoler kommer før personer")
            if not any(name == "objectclass" for name, _ in change.lines):
                yield _finding(INCOMPLETE, change.line, "objectClass mangler")
            people = people or is_person
            added.add(dn)
        elif change.kind == "modify":
            if not _is_replacement(change.lines):
                yield _finding(INCOMPLETE, change.line, "et attributt er ikke erstattet helt, og én gang")
        elif change.kind == "modrdn":
            if [name for name, _ in change.lines] != ["newrdn", "deleteoldrdn"]:
                yield _finding(INCOMPLETE, change.line, "newrdn og deleteoldrdn mangler")
            if is_person:
                yield _finding(FORMER_NAME, change.line, "det gamle brukernavnet skal ikke stå ved det nye")
        else:
            yield _finding(NOT_A_CHANGE, change.line, "changetype er ikke add, delete, modify eller modrdn")


def _is_replacement(lines: list[tuple[str, ldif.Value]]) -> bool:
    """Tell whether the lines are ``replace: x``, values of x and ``-``, over again, and each attribute once."""
    replaced: set[str] = set()
    current: str | None = None
    for name, said in lines:
        if current is None:
            if name != "replace" or said.text.lower() in replaced:
                return False
            current = said.text.lower()
            replaced.add(current)
        elif name == "-":
            current = None
        elif name != current:
            return False
    return bool(replaced) and current is None


def _finding(name: str, line: int, detail: str) -> Finding:
    return Finding(name, f"linje {line}", detail, line, blocks=True)
