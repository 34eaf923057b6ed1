"""Finding a person: by what is written, in one kommune, never a guess, and no protected one without the right."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from dataflyt.storage import database
from dataflyt.warehouse import people, vetoed_views
from dataflyt.warehouse.people import NotFound
from dataflyt.warehouse.vetoed_views import Views
from tests.installation.fixtures import Installation

NOBODY = "Fant ingen i kommunen som passer."
REALM = "haugesund.kommune.no"
ORDINARY, STRICT = UUID(int=1), UUID(int=2)
NUMBER, FORMER, STRICT_NUMBER, ABSENT = "05851450027", "20842050058", "20842050066", "20842050074"


@pytest.fixture
def views(installation: Installation) -> Iterator[Views]:
    """A small kommune: two people of one name and birth date, and one at a strict address."""
    with database.transaction(database.engine(installation.warehouse_url), "haugesund") as connection:
        held = {
            "person (person_id, fornavn, mellomnavn, etternavn, birth_date)": [
                (ORDINARY, "Åse", "Ærlig", "Østen", "2015-03-01"),
                (STRICT, "Skjult", None, "Person", "2014-02-03"),
                (UUID(int=3), "Kari", None, "Nordmann", "2016-05-06"),
                (UUID(int=4), "Kari", None, "Nordmann", "2016-05-06"),
                (UUID(int=5), "Nils", None, "Vik", "2016-05-06"),
                (UUID(int=6), "Nils", None, "Vik", "2016-05-06"),
            ],
            "protection (person_id, level, held_back)": [
                *((UUID(int=n), 0, False) for n in (1, 3, 4, 5)),
                (STRICT, 3, False),
                (UUID(int=6), 0, True),
            ],
            "person_link (scheme, value, person_id, current)": [
                ("number", NUMBER, ORDINARY, True),
                ("number", FORMER, ORDINARY, False),
                ("number", STRICT_NUMBER, STRICT, True),
            ],
            "account (person_id, uid, role, state)": [
                (ORDINARY, "aseost", "pupil", "active"),
                (STRICT, "skjper", "pupil", "active"),
            ],
        }
        for table, rows in held.items():
            name, columns = table.split(" ", 1)
            marks = ", ".join(f":v{n}" for n in range(len(rows[0])))
            connection.execute(
                text(f"insert into golden.{name} (owner, from_run, {columns[1:-1]}) values ('haugesund', 2, {marks})"),
                [{f"v{n}": value for n, value in enumerate(row)} for row in rows],
            )
        _former_name(connection)
        yield vetoed_views.views(connection, "haugesund", 2, "now_")
        connection.rollback()


def _former_name(connection: Connection) -> None:
    connection.execute(
        text(
            "insert into golden.account (owner, from_run, to_run, person_id, uid, role, state) "
            "values ('haugesund', 1, 2, :person, 'olaost', 'pupil', 'active')"
        ),
        {"person": ORDINARY},
    )


WRITTEN = (
    NUMBER,
    "058514 50027",
    "058514-50027",
    '="05851450027"',
    "\u200b05851450027",
    "5851450027",
    FORMER,
    "aseost",
    "ASEOST",
    "aseost@haugesund.kommune.no",
    "AseOst@Haugesund.Kommune.NO",
    "åse ærlig østen 2015-03-01",
    "Åse  Østen, 01.03.2015",
    "Åse Østen 1.3.2015",
    str(ORDINARY),
)


def test_a_person_is_found_however_it_is_written(views: Views) -> None:
    for who in WRITTEN:
        assert people.find(views, who, graded=False, realm=REALM).person_id == ORDINARY, who


NOBODYS = (
    ABSENT,
    "aseost@bergen.kommune.no",
    "aseost@",
    "finnesikke",
    "Åse Østen 2015-03-02",
    "Åse 2015-03-01",
    "Østen 2015-03-01",
    "Åse Østen 31.02.2015",
    "Åse Østen",
    "05851450028",
    "0585145002",
    "058514500277",
    "5,85E+10",
    "%",
    "_______",
    "' or true --",
    "{p}",
    "",
    " ",
    "00000000-0000-0000-0000-00000000000",
)


def test_nobody_is_guessed(views: Views) -> None:
    for who in NOBODYS:
        with pytest.raises(NotFound) as refused:
            people.find(views, who, graded=True, realm=REALM)
        assert not who.strip() or who not in refused.value.sentence


def test_a_protected_person_is_as_one_who_does_not_exist(views: Views) -> None:
    with pytest.raises(NotFound) as nobody:
        people.find(views, ABSENT, graded=False, realm=REALM)
    assert nobody.value.sentence.startswith(NOBODY)
    for who in (STRICT_NUMBER, "skjper", "Skjult Person 2014-02-03", str(STRICT)):
        assert people.find(views, who, graded=True, realm=REALM).person_id == STRICT
        with pytest.raises(NotFound) as hidden:
            people.find(views, who, graded=False, realm=REALM)
        assert (hidden.value.sentence, hidden.value.facts) == (nobody.value.sentence, nobody.value.facts)
    assert people.names(views, [STRICT, ORDINARY], graded=False) == {ORDINARY: "Åse Ærlig Østen"}


def test_two_people_of_one_name_and_birth_date_must_be_told_apart(views: Views) -> None:
    with pytest.raises(NotFound, match="2 personer"):
        people.find(views, "Kari Nordmann 2016-05-06", graded=False, realm=REALM)
    # The other of the two is held back: without the right it does not exist, with the right there are two.
    assert people.find(views, "Nils Vik 2016-05-06", graded=False, realm=REALM).person_id == UUID(int=5)
    with pytest.raises(NotFound, match="2 personer"):
        people.find(views, "Nils Vik 2016-05-06", graded=True, realm=REALM)


def test_a_former_user_name_is_found_only_with_the_right_to_see_protection(views: Views) -> None:
    assert people.find(views, "olaost", graded=True, realm=REALM).person_id == ORDINARY
    with pytest.raises(NotFound, match=NOBODY):
        people.find(views, "olaost", graded=False, realm=REALM)
