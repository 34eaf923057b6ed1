"""The work list: the things a person has to look at, as of the released run and the day.

In: the released run's findings (``golden.work_item``), files that both it and the run before it read, blocks and
overrides whose review date has come, groups named after a hidden person, and joined or parted people of whom one is
protected. Out: rows by the warehouse's own ids. Without the right to see protection, no row is about a protected person
(``people.hidden``), and no kind tells of protection. Pupils whom FREG cannot be asked about are there for everybody.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.run.report import UNASKED
from dataflyt.storage import database
from dataflyt.warehouse import audit, events, people, rules, runs, shown, vetoed_views
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.refusals import refusals

KINDS = {
    "pupil_with_miswritten_number": "Elever med feil i fødselsnummeret: holdes tilbake til skolen har rettet det",
    "pupil_without_number": "Elever uten fødselsnummer: holdes tilbake til det kommer, eller noen har bestemt",
    "pupil_with_provisional_number": "Elever med midlertidig nummer: holdes tilbake til fødselsnummeret kommer, eller "
    "noen har bestemt",
    "pupil_with_duf_number": "Elever med DUF-nummer: holdes tilbake til fødselsnummeret kommer, eller noen har bestemt",
    "pupil_with_encrypted_number": "Elever med kryptert nummer: holdes tilbake til leverandøren sender det ukryptert",
    "file_same": "Filer som er de samme som sist: systemet har ikke levert nye",
    "sas_guardian_without_basis": "Foresatte lagt inn for hånd uten grunnlag",
    "sas_guardian_missing": "Foresatte med rett som mangler i skolesystemet",
    "responsible_not_named": "Barn der Folkeregisteret ikke sier hvem som har foreldreansvar",
    "responsible_unanswered": "Foresatte som Folkeregisteret ikke har svart om",
    "event_unanswered": "Folk som Folkeregisteret har meldt hendelser på, og ikke svarer om",
    "block_review_due": "Sperringer som skal vurderes på nytt",
    "override_review_due": "Overstyringer som skal vurderes på nytt",
    "suspension_to_decide": "Voksne med stanset tilgang til et beskyttet barn: bestem om hver av dem",
    "suspension_review_due": "Stansede tilganger som skal vurderes på nytt",
    "held_back_review_due": "Personer som holdes tilbake, og skal vurderes på nytt",
    "alias_review_due": "Alias som skal vurderes på nytt",
    "resident_not_enrolled": "Barn i skolealder som bor her og ikke går på en av skolene",
    "pupil_without_class": "Elever uten klasse",
    "user_disabled": "Elever og ansatte som er slått av i skolesystemet, og står i filen",
    "account_not_named": "Elever og ansatte uten brukernavn",
    "group_without_grep": "Undervisningsgrupper uten fagkode",
    "group_without_timetable": "Undervisningsgrupper uten timeplan",
    "group_not_in_grep": "Grupper med en fagkode som ikke finnes i Grep",
    "school_not_in_nsr": "Skoler som ikke finnes i Nasjonalt skoleregister",
    "group_name_tells": "Grupper med navnet til en som er skjermet",
    "identity_to_decide": "Skjermede eller sperrede som er blitt én eller flere personer",
}
"""The Norwegian name of each kind, in the order of the list."""

WHILE_MADE = frozenset({"pupil_without_class", "group_without_grep", "group_without_timetable"})
"""Kinds that are not listed while the schools are making new classes, subject groups and timetables."""

GRADED = frozenset(
    {
        *("group_name_tells", "identity_to_decide"),
        *("suspension_to_decide", "suspension_review_due", "held_back_review_due", "alias_review_due"),
    }
)
"""Kinds that only people with the right to see protection are shown."""


class Item(NamedTuple):
    """A thing to look at: ``subject`` is a person, group, school or source; ``other`` is a second that it concerns."""

    kind: str
    subject: str
    other: str
    unit_id: str | None


def counts(kommune: Kommune, environment: Environment) -> dict[str, int]:
    """Count a kommune's work list as of now by kind, without hidden people: a count names nobody."""
    return dict(Counter(item.kind for item in _items(kommune, environment, None, graded=False)))


def items(kommune: Kommune, environment: Environment, visitor: Visitor, *, graded: bool = False) -> list[Item]:
    """Return a kommune's work list as of now, its kinds in the order of ``KINDS``; empty before the first release.

    The look is kept in the audit. Raises NotAllowed without the right ``persons``, or ``graded``.
    """
    with refusals(kommune, environment.connect, visitor, "work list"):
        kommune.case_worker(visitor.id, "graded" if graded else "persons")
    return _items(kommune, environment, visitor, graded=graded)


def _items(kommune: Kommune, environment: Environment, visitor: Visitor | None, *, graded: bool) -> list[Item]:
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        released = runs.released_before(connection, kommune.id)
        if not released:
            return []
        run = runs.get(connection, kommune.id, released)
        day = environment.day(run.as_of)
        hold_unasked = kommune.pupils_without_number == "ask"
        views = vetoed_views.views(connection, kommune.id, released, "now_", day=day, hold_unasked=hold_unasked)
        shown.views(views)
        statements = (
            "select kind, subject, other, unit_id from now_work_item",
            rules.sql("work_list/review_due").format(day=f"date '{day.isoformat()}'"),
            "select kind, subject, other, unit_id from now_shown_group_renamed",
            rules.sql("work_list/veto_to_decide").format(day=f"date '{day.isoformat()}'"),
            rules.sql("work_list/identity_to_decide").format(p="now_"),
            events.UNANSWERED,
        )
        listed = [Item(*row) for statement in statements for row in connection.execute(text(statement))]
        listed += _same_files(report.notes(connection, run))
        if kommune.groups_not_ready(day):
            listed = [item for item in listed if item.kind not in WHILE_MADE]
        if not graded:
            hidden = {str(one) for one in people.hidden(views, _people(listed))}
            hidden |= set(connection.execute(text(_HIDDEN_GROUPS)).scalars())
            quiet = {(child, adult) for child, adult in connection.execute(text("select child, adult from now_quiet"))}
            listed = [
                item
                for item in listed
                if _open(item)
                and (item.kind in UNASKED or not hidden & {item.subject, item.other})
                and (item.kind != "sas_guardian_without_basis" or (item.subject, item.other) not in quiet)
            ]
        if visitor:
            audit.record(connection, kommune.id, visitor, "work list", _people(listed))
    order = list(KINDS)
    return sorted(listed, key=lambda item: (order.index(item.kind), item.subject, item.other))


# The groups of protected pupils alone.
_HIDDEN_GROUPS = """
select m.group_id
from now_membership m
join now_protection x on x.person_id = m.person_id
where m.role = 'student'
group by m.group_id
having bool_and(x.level >= 2 or x.held_back)
"""


def _same_files(noted: Mapping[str, Any]) -> list[Item]:
    """Return the files that both a run and the run before it read. Timetables are left out: one lasts a term."""
    return [
        Item("file_same", source, file["name"], None)
        for source in ("hr", "sas")
        for page, file in noted.get(f"files_{source}", {}).items()
        if file["same"] and not page.startswith("timetable")
    ]


def _people(listed: list[Item]) -> set[UUID]:
    """Return the people that the items are about. An id that looks like theirs is a person's."""
    found = set()
    for one in {id_ for item in listed for id_ in (item.subject, item.other)}:
        with suppress(ValueError):
            found.add(UUID(one))
    return found


def _open(item: Item) -> bool:
    return item.kind not in GRADED and (item.kind, item.other) != ("override_review_due", "adressebeskyttelse")
