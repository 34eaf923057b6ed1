"""The asked: whom a question is about, what the visitor may see, and the queries that are made for it.

A person whom the visitor may not see is nobody, as one who does not exist: the same id that nobody has stands for both
in every query.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.run.environment import Environment
from dataflyt.run.looking import Looking, looking
from dataflyt.storage.database import copied
from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import landed
from dataflyt.warehouse import people
from dataflyt.warehouse.group_names import open_name
from dataflyt.warehouse.outcomes import NEWEST
from dataflyt.why import when
from dataflyt.why.shown_of import shown_of
from dataflyt.why.texts import Language, catalogue, said

NOBODY: Final = UUID(int=0)
"""Nobody's id."""


@dataclass(frozen=True)
class Subject:
    """A person of a question. ``open``: not protected, so that the caller may hear a word about this very person."""

    person_id: UUID = NOBODY
    name: str = ""
    open: bool = False

    @property
    def known(self) -> bool:
        """Whether there is such a person, whom the visitor may see."""
        return self.person_id != NOBODY


@dataclass
class Asked:
    """A question's subjects and surroundings. ``word`` is the field, the group or the row that is asked about.

    ``next_run`` says when a correction shows; ``from_next`` says it to a caller, who knows of no runs.
    ``named`` collects the people whose names an answer has besides the subjects: the audit is told of them.
    """

    kommune: Kommune
    here: Looking
    graded: bool
    language: Language
    day: date
    next_run: str
    from_next: str
    who: Subject
    child: Subject | None = None
    word: str = ""
    named: set[UUID] = field(default_factory=set)
    newest: int = 0
    delivered: Mapping[str, datetime] = field(default_factory=dict)
    """The time of delivery of the file that each source's rows of the newest run are from."""
    _read: dict[str, Sequence[Any]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.newest = int(
            self.here.connection.scalar(
                text("select max(run) from control.run where owner = :owner"), {"owner": self.kommune.id}
            )
            or 0
        )
        pupil = self.child or self.who
        self._bound: dict[str, Any] = {
            "owner": self.kommune.id,
            "who": self.who.person_id,
            "adult": str(self.who.person_id),
            "child": self.child.person_id if self.child else NOBODY,
            "pupil": pupil.person_id,
            "released": self.released,
            "newest": self.newest,
            "day": self.day,
            "word": self.word,
        }

    @property
    def released(self) -> int:
        """The released run."""
        return self.here.now.run

    @property
    def pupil(self) -> Subject:
        """The pupil of the question: the child, or whom it is about."""
        return self.child or self.who

    def rows(self, query: str) -> Sequence[Any]:
        """Return the rows of a query, which is made once."""
        if query not in self._read:
            self._read[query] = self.here.connection.execute(text(query), self._bound).all()
        return self._read[query]

    def run_day(self, run: int | None) -> date | None:
        """Return the day of a released run in Norway."""
        return self.here.days.get(run) if run is not None else None

    def word_for(self, part: str, key: str, **values: object) -> str:
        """Return a text of the catalogue in the language of the answer."""
        return said(self.language, part, key, **values)

    def words(self, part: str) -> dict[str, str]:
        """Return a part of the catalogue."""
        found: dict[str, str] = catalogue(self.language)[part]
        return found

    def names_of(self, whom: Sequence[UUID]) -> dict[UUID, str]:
        """Return the names of those of ``whom`` that the visitor may see, for the answer; the audit is told."""
        found = people.names(self.here.now, whom, graded=self.graded)
        self.named |= {*found}
        return found


@contextmanager
def asking(
    kommune: Kommune,
    environment: Environment,
    who: str,
    child: str | None,
    *,
    read: str,
    word: str = "",
    graded: bool = False,
    language: Language = "nb",
    of_group: bool = False,
) -> Iterator[Asked]:
    """Open a look, and find the people of a question in it. ``child`` is None for a question without one.

    ``read`` is the text of the queries that will be made. ``of_group``: ``word`` is a group, by its id or its name.
    """
    with looking(kommune, environment) as here:
        newest = max(here.days)
        day = max(environment.day(environment.now()), here.days[newest])
        subject, other = _subject(here, who, graded=graded), None
        if child is not None:
            other = _subject(here, child, graded=graded)
        as_of = max(environment.now(), _as_of(here, newest))
        due = when.next_run(kommune.schedule, as_of)
        next_run, from_next = when.in_words(due, language), when.in_words(due, language, "caller")
        whom = [one.person_id for one in (subject, other) if one is not None]
        if of_group and word:
            word = _group(here, word, graded=graded)
        shown_of(here, whom, word, read)
        _staged(here, whom)
        if "why_seen_access" in read:
            _seen_access(here, whom, graded=graded)
        if "why_may_be_asked" in read:
            _may_be_asked(here, whom, graded=graded)
        asked = Asked(kommune, here, graded, language, day, next_run, from_next, subject, other, word)
        asked.delivered = _delivered(environment, kommune.id, asked.newest)
        yield asked


def _delivered(environment: Environment, owner: str, run: int) -> dict[str, datetime]:
    """Return when the HR system's and the school system's files of a run were delivered, as far as it is kept."""
    found = {}
    for source in ("sas", "hr"):
        landing = Landing(environment.folder("landing") / owner / f"{run:06d}" / source)
        times = [said.stamp.modified for page in landed(landing) if (said := landing.delivered(str(page)))]
        if known := [one for one in times if one is not None]:
            found[source] = datetime.fromtimestamp(max(known), UTC)
    return found


def _as_of(here: Looking, run: int) -> Any:
    return here.connection.scalar(
        text("select as_of from control.run where owner = :owner and run = :run"),
        {"owner": here.kommune.id, "run": run},
    )


def _subject(here: Looking, who: str, *, graded: bool) -> Subject:
    """Return the person that ``who`` names. The same queries are made for nobody and for a hidden person."""
    known = people.known(here.now, who, graded=graded, realm=here.kommune.feide.realm)
    found = known.person_id if known else NOBODY
    name = here.connection.scalar(text(_NAME), {"owner": here.kommune.id, "one": found, "released": here.now.run})
    return Subject(found, name or "", not known.hidden) if known else Subject()


def _group(here: Looking, word: str, *, graded: bool) -> str:
    """Return the id of the group that ``word`` names, by its id or, as 7B, by its name; ``word`` itself for none.

    Without ``graded`` a name that may hold a person's names no group, and no id is told: an id may hold one too. Raises
    NotFound where several have the name.
    """
    found = here.connection.execute(text(_GROUP), {"word": word}).all()
    if any(one.group_id == word for one in found):
        return word
    found = [one for one in found if one.by_id or graded or open_name(one.name)]
    if len(found) > 1:
        ids = f": {', '.join(one.group_id for one in found)}" if graded else ", som står i skolesystemet"
        raise people.NotFound(f"{len(found)} grupper heter {word}, og Dataflyt gjetter ikke. Skriv id-en{ids}.")
    return str(found[0].group_id) if found else word


def _seen_access(here: Looking, whom: Sequence[UUID], *, graded: bool) -> None:
    """Make the table ``why_seen_access``: access of the people to children whom the visitor may see.

    An employee is known of also as the guardian of protected children alone; that they have children here is not.
    """
    seen = [(child, str(adult)) for adult, child in people.guardianships(here.now, whom, graded=graded)]
    copied(here.connection, "why_seen_access", "child_id uuid, adult text", seen)


def _may_be_asked(here: Looking, whom: Sequence[UUID], *, graded: bool) -> None:
    """Make the table ``why_may_be_asked``: the registers that the visitor may know that each person is asked about."""
    employees = here.kommune.sources.freg.employees
    found = [
        (one, source)
        for source in ("freg", "krr")
        for one in people.may_be_asked(here.now, whom, source, graded=graded, employees=employees)
    ]
    copied(here.connection, "why_may_be_asked", "person_id uuid, source text", found)


def _staged(here: Looking, whom: Sequence[UUID]) -> None:
    """Make the tables ``why_staged_<source>``: the local ids of rows of the newest files that may be about a person.

    A new row in quarantine is linked to nobody in the golden record. The staged row has the number, or, where the
    number is what is wrong, the name and the birth date. It serves as evidence that a row was set aside, never to know
    a person by. Only the local ids in the newest quarantine are looked for: the staged rows have no index.
    """
    schema = f"staging_{here.kommune.id}"
    for source, table, column in (("sas", "sas_person", "person_id"), ("hr", "hr_employee", "employee_id")):
        there = here.connection.scalar(text("select to_regclass(:name)"), {"name": f"{schema}.{table}"})
        bound = {"owner": here.kommune.id, "source": f"{source}_"}
        aside = here.connection.execute(text(_SET_ASIDE), bound).scalars().all() if there else []
        rows = f"(select * from {schema}.{table} where {column} = any(:aside))"
        read = (
            f"select l.person_id, s.{column} as local_id from now_person_link l "
            f"join {rows} s on s.number = l.value "
            "where l.scheme = 'number' and l.person_id = any(cast(:whom as uuid[])) "
            f"union select p.person_id, s.{column} from now_person p "
            f"join {rows} s on s.birth_date = cast(p.birth_date as text) "
            "and lower(s.family_name) = lower(p.etternavn) "
            "and split_part(lower(s.given_name), ' ', 1) = split_part(lower(p.fornavn), ' ', 1) "
            "where p.person_id = any(cast(:whom as uuid[]))"
        )
        empty = "select cast(null as uuid) as person_id, cast(null as text) as local_id where false"
        here.connection.execute(
            text(f"create temporary table why_staged_{source} on commit drop as {read if aside else empty}"),
            {"whom": [str(one) for one in whom], "aside": list(aside)},
        )


_SET_ASIDE = f"select distinct subject from ({NEWEST}) h where starts_with(table_name, :source) and subject is not null"

_GROUP = """
select group_id, name, lower(group_id) = lower(:word) as by_id from now_school_group
where lower(:word) in (lower(group_id), lower(name)) order by group_id
"""

_NAME = """
select coalesce(
    (select concat_ws(' ', fornavn, mellomnavn, etternavn) from now_person where person_id = :one),
    (
        select concat_ws(' ', s.given_name, s.family_name) from now_person_link l
        join history.sas_person s on s.owner = :owner and s.subject = l.value and s.to_run is null
        where l.scheme = 'sas' and l.person_id = :one limit 1
    ),
    (
        select concat_ws(' ', f.fornavn, f.mellomnavn, f.etternavn) from golden.person f
        where f.owner = :owner and f.person_id = :one and f.from_run <= :released order by f.from_run desc limit 1
    )
)
"""
