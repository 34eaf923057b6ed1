"""People to register by hand, from the CSV file that eFeide takes.

Nine columns, in this order: the school's organisation number, family name, given name, identity number, e-mail,
telephone, FEIDE name, class, and type (1 pupil, 2 employee). All nine must be there; e-mail, telephone and FEIDE name
are not read (docs.identum.no/efeide/csv-import-av-brukere-til-efeide). A line without a digit at the top is a heading.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from dataflyt.decisions.manual_person import MOST_AT_ONCE, Registered, Role
from dataflyt.errors import Unreadable
from dataflyt.formats.csv_rows import csv_rows
from dataflyt.formats.letters import GARBLED
from dataflyt.identity import numbers
from dataflyt.identity.names import clean

COLUMNS = 9
_ROLES: dict[str, Role] = {"1": "pupil", "2": "employee"}
_GARBLED = re.compile(GARBLED).search


def read(stream: BinaryIO) -> tuple[list[Registered], list[str]]:
    """Return the people in the file, and a Norwegian sentence for each line that cannot be used.

    A sentence names the line and the column, never what stands there. Raises Unreadable for a file that is not CSV, and
    for one with nobody in it, or with too many.
    """
    people: list[Registered] = []
    complaints: list[str] = []
    for place, (line, cells) in enumerate(csv_rows(stream, "brukere registrert for hånd")):
        cells = [clean(cell) for cell in cells]
        if not any(cells) or (place == 0 and not re.search("[0-9]", "".join(cells))):
            continue
        said = list(_wrong(cells))
        complaints += [f"Linje {line}: {sentence}" for sentence in said]
        if not said:
            orgnr, family, given, number, _, _, _, group, role = cells[:COLUMNS]
            people.append(
                Registered(
                    fornavn=given,
                    etternavn=family,
                    role=_ROLES[role],
                    unit_id=_digits(orgnr),
                    number=number or None,
                    group_id=group or None,
                    line=line,
                )
            )
    if not people and not complaints:
        raise Unreadable("Filen har ingen personer.")
    if len(people) > MOST_AT_ONCE:
        raise Unreadable(f"Filen har flere enn {MOST_AT_ONCE} personer: del den.")
    return people, complaints


def _wrong(cells: list[str]) -> Iterator[str]:
    if len(cells) < COLUMNS or any(cells[COLUMNS:]):
        yield f"skal ha {COLUMNS} kolonner, og har {len(cells)}."
        return
    orgnr, family, given, number, _, _, _, group, role = cells[:COLUMNS]
    if not re.fullmatch("[0-9]{9}", _digits(orgnr)) or numbers.orgnr(_digits(orgnr)) is None:
        yield "kolonne 1 skal ha organisasjonsnummeret til skolen, ni sifre."
    for column, name, what in ((2, family, "etternavn"), (3, given, "fornavn")):
        if not name or len(name) > 200 or re.search("[0-9]", name):
            yield f"kolonne {column} skal ha {what}."
        elif _GARBLED(name):
            yield f"kolonne {column} har ødelagte bokstaver: lagre filen i UTF-8."
    if len(number) > 100 or len(group) > 200:
        yield "kolonne 4 eller 8 er for lang."
    if role not in _ROLES:
        yield "kolonne 9 skal ha 1 for elev eller 2 for ansatt."
    elif role == "2" and not number:
        yield "kolonne 4 skal ha fødselsnummeret til en ansatt."


def _digits(orgnr: str) -> str:
    return orgnr.replace(" ", "").removeprefix("NO")
