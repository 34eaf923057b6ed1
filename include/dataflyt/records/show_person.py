"""Everything that the warehouse has about one person: each value with source, run and rule, and what it was before.

In: a person, and the run or the day to read. Out: values, each with the runs and days from and to which it holds or
held. Protection, access, blocks and deaths are as of now, whatever is asked: the views lay today's vetoes over any run.

Whoever may see people sees an unprotected person: names, and the number when asked for. Only ``graded`` shows:

- a protected person (fortrolig or stricter, or held back), here or as guardian or child of somebody else, and a person
  whom the warehouse has only as guardian of such a child;
- protection and its cause;
- that FREG is asked about an employee who is the guardian of protected children alone;
- contact details that the list of access withholds (``exports/shown_envelope.sql``): there are none to use, as of all
  who have none;
- former names, gender and user names, and names that the sources have beside the one that won.

The page names other people only as guardian or child. A group's name may hold anybody's: without ``graded`` only names
that cannot (7B) are shown, and of other groups what kind they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.run.environment import Environment
from dataflyt.run.looking import Looking, looking
from dataflyt.warehouse import audit, people
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.group_names import open_code, open_name
from dataflyt.warehouse.people import NOBODY, NotFound
from dataflyt.warehouse.refusals import refusals
from dataflyt.why.shown_of import shown_of

SOURCES = {
    "freg": "Folkeregisteret",
    "hr": "Lønns- og personalsystemet",
    "sas": "Skolesystemet",
    "krr": "Kontaktregisteret",
    "dataflyt": "Dataflyt",
    "people": "Bestemt av folk",
}
"""The systems that values come from, in Norwegian."""


class Value(NamedTuple):
    """A value, and the runs and days (in Norway) from which and until which it holds. ``to_run`` None: it holds.

    ``other`` is the warehouse's id of the guardian or child that the value is about, "" where it is about nobody else.
    """

    section: str
    name: str
    value: str
    source: str
    rule: str
    from_run: int
    from_day: date | None
    to_run: int | None
    to_day: date | None
    other: str = ""


@dataclass(frozen=True)
class Page:
    """A person's page: as of ``run``, which is from ``day``; ``current`` holds there, ``earlier`` is from before."""

    person_id: UUID
    name: str
    run: int
    day: date
    current: tuple[Value, ...]
    earlier: tuple[Value, ...]


def show_person(
    kommune: Kommune,
    environment: Environment,
    who: str,
    visitor: Visitor,
    *,
    at: date | None = None,
    run: int | None = None,
    graded: bool = False,
    numbers: bool = False,
) -> Page:
    """Return a person's page as of now, of the run ``run``, or of the day ``at``. The look is kept in the audit.

    ``who`` is as ``people.find`` reads it. With ``numbers`` identity numbers are shown whole, otherwise their last five
    digits are hidden. Raises NotAllowed without the right ``persons``, or ``graded``. Raises NotFound, in one sentence
    for those who do not exist and those who are hidden.
    """
    with (
        refusals(kommune, environment.connect, visitor, "show person", [who]),
        looking(kommune, environment, at=at, run=run) as here,
    ):
        kommune.case_worker(visitor.id, "graded" if graded else "persons")
        found = people.find(here.then, who, graded=graded, realm=kommune.feide.realm)
        beside = _beside(here, found.person_id)
        others = _others(here, [found.person_id, *beside], graded=graded)
        if others[found.person_id].hidden:
            raise NotFound(NOBODY)
        read = _Reader(here, found.person_id, others, graded=graded, numbers=numbers)
        values = read.values()
        detail = f"kjøring {here.then.run}" + (", med fødselsnummer" if numbers else "")
        audit.record(here.connection, kommune.id, visitor, "show person", [found.person_id], detail, read.named)
        return Page(
            found.person_id,
            others[found.person_id].name or found.name,
            here.then.run,
            here.days[here.then.run],
            tuple(one for one in values if one.to_run is None),
            tuple(one for one in values if one.to_run is not None),
        )


class _Other(NamedTuple):
    name: str
    hidden: bool


def _beside(here: Looking, person: UUID) -> list[UUID]:
    """List the people that the page may name: guardians and children, and those whose protection is the cause."""
    found = here.connection.execute(
        text(
            "select child_id::text as id from golden.guardian_access where owner = :owner and adult = :adult "
            "union select adult from golden.guardian_access where owner = :owner and child_id = :one "
            "union select cause_person_id::text from golden.protection where owner = :owner and person_id = :one "
            f"union select cause_person_id::text from {here.now.prefix}protection where person_id = :one"
        ),
        {"owner": here.kommune.id, "one": person, "adult": str(person)},
    )
    return [UUID(id_) for (id_,) in found if id_ and len(id_) == 36 and ":" not in id_]


def _others(here: Looking, whom: Sequence[UUID], *, graded: bool) -> dict[UUID, _Other]:
    """Return the present name of each person, and whether the person is hidden now, as one who is not known is.

    Nobody is hidden from ``graded``.
    """
    hidden = set() if graded else people.hidden(here.now, whom, unknown=True)
    found = here.connection.execute(
        text(
            "select distinct on (person_id) person_id, concat_ws(' ', fornavn, mellomnavn, etternavn) "
            "from golden.person where owner = :owner and person_id = any(cast(:whom as uuid[])) and from_run <= :run "
            "order by person_id, from_run desc"
        ),
        {"owner": here.kommune.id, "run": here.now.run, "whom": [str(one) for one in whom]},
    )
    names = {person: name for person, name in found}
    return {one: _Other(names.get(one, ""), one in hidden) for one in whom}


_PERSON = {
    "number": "Fødselsnummer eller D-nummer",
    "local_number": "Lokalt nummer",
    "fornavn": "Fornavn",
    "mellomnavn": "Mellomnavn",
    "etternavn": "Etternavn",
    "birth_date": "Fødselsdato",
    "kjoenn": "Kjønn",
    "work_email": "E-post i jobben",
    "status": "Status i Folkeregisteret",
}
_NAMES = {"fornavn", "mellomnavn", "etternavn", "kjoenn"}
"""Fields whose former values only ``graded`` may see: a former name can out somebody."""
_NAME_RULES = {
    "freg": "Folkeregisteret går foran lønnssystemet og skolesystemet",
    "hr": "Folkeregisteret har ikke navnet; lønnssystemet går foran skolesystemet",
    "sas": "Verken Folkeregisteret eller lønnssystemet har navnet",
}
_STATES = {
    "active": "har tilgang",
    "ended": "tilgangen er slutt",
    "suspended": "tilgangen er stanset",
    "blocked": "sperret",
    "dead": "død",
    "of_age": "barnet er 18 år",
    "unanswered": "Folkeregisteret har ikke svart om den voksne",
}
_BASES = {
    "foreldreansvar": "Foreldreansvar i Folkeregisteret",
    "grant:consent": "Samtykke",
    "grant:court_judgment": "Dom eller kjennelse",
    "grant:barnevern_decision": "Vedtak fra barnevernet",
    "grant:verge": "Vergemål",
    "grant:representative": "Representant",
}
_STATE_RULES = {
    "ended": "Det som tar bort tilgang, gjelder straks, foran grunnlaget",
    "suspended": "Beskyttelse stanser tilgangen til noen har bestemt",
    "blocked": "En sperring går foran foreldreansvar og vedtak",
    "dead": "Den ene av dem er død",
    "of_age": "Fra 18 år bestemmer eleven selv",
    "unanswered": "Ingen får tilgang før Folkeregisteret har svart om dem",
}
_LEVELS = {0: "ingen", 1: "klientadresse", 2: "fortrolig", 3: "strengt fortrolig"}
_CAUSES = {
    "own": "egen gradering",
    "address": "gradert adresse",
    "guardian": "bor med en beskyttet foresatt",
    "sibling": "bor med et beskyttet søsken",
    "hr": "merket i lønnssystemet",
    "override": "overstyring",
    "unknown_value": "en gradering Dataflyt ikke kjenner",
    "known_word": "en gradering Dataflyt ikke kjenner, i tillegg",
    "never_answered": "Folkeregisteret har aldri svart",
    "not_asked": "Folkeregisteret kan ikke spørres",
    "undone": "en kjøring som er angret, hadde hevet den",
    "held_back": "holdes tilbake av folk",
    "taken_over": "overtatt fra en annen kommune",
    "none": "",
}
_GROUP_TYPES = {
    "basisgruppe": "klasse",
    "undervisningsgruppe": "undervisningsgruppe",
    "kontaktlærergruppe": "kontaktlærergruppe",
    "trinn": "trinn",
    "fag": "fag",
}
_ROLES = {"student": "elev", "faculty": "lærer", "staff": "ansatt"}
_ACCOUNT_ROLES = {"pupil": "elev", "employee": "ansatt", "employee pupil": "ansatt og elev"}
_ACCOUNTS = {"active": "i bruk", "disabled": "sperret", "planned": "planlagt", "closed": "avsluttet"}

Row = dict[str, Any]
Told = Callable[[Mapping[str, Any]], tuple[str, str, str]]
"""From a row to the value in words, its source, and the rule that it won by."""


class _Reader:
    """Reads the tables for one page."""

    def __init__(
        self, here: Looking, person: UUID, others: Mapping[UUID, _Other], *, graded: bool, numbers: bool
    ) -> None:
        self.here, self.person, self.others, self.graded, self.numbers = here, person, others, graded, numbers
        self.named: set[UUID] = set()
        employees = here.kommune.sources.freg.employees
        self.freg = person in people.may_be_asked(here.now, [person], "freg", graded=graded, employees=employees)
        self.bound = {
            "owner": here.kommune.id,
            "one": person,
            "adult": str(person),
            "then": here.then.run,
            "now": here.now.run,
        }

    def values(self) -> list[Value]:
        """Return the page's values, section by section; of each the newest first."""
        parts = (
            self._person(),
            self._said_by_the_sources(),
            self._protection() if self.graded else [],
            self._rows("Skole", "enrolment e", "e.person_id = :one", lambda r: r["unit_id"], _enrolment, _WITH_SCHOOL),
            self._groups(),
            self._rows(
                "Stilling",
                "employment e",
                "e.person_id = :one",
                lambda r: r["employment_id"],
                _employment,
                _WITH_SCHOOL,
            ),
            self._access("Foresatte", "g.child_id = :one", "adult"),
            self._access("Barn", "g.adult = :adult", "child_id"),
            self._account(),
            self._contact(),
        )
        values = [value for part in parts for value in part]
        return values if self.graded else self._seen_by_all(values)

    def _seen_by_all(self, values: Sequence[Value]) -> list[Value]:
        """Return the values, within the runs in which something on the page tells why the warehouse has the person.

        A guardian of a hidden child alone has no such thing: that the warehouse has the person at all, or asks the
        contact register, would tell of the child. Raises NotFound for such a person.
        """
        reasons = [one for one in values if one.section in ("Skole", "Grupper", "Stilling", "Barn")]
        if not any(one.to_run is None for one in reasons):
            raise NotFound(NOBODY)
        children = [one for one in reasons if one.section == "Barn"]
        found = []
        for value in values:
            within = children if value.section == "Kontakt" else reasons
            if not within:
                continue
            began = max(value.from_run, min(one.from_run for one in within))
            last = None if any(one.to_run is None for one in within) else max(one.to_run or 0 for one in within)
            ended = min((one for one in (value.to_run, last) if one is not None), default=None)
            if ended is None or began < ended:
                days = self.here.days
                found.append(
                    value._replace(
                        from_run=began,
                        from_day=days.get(began),
                        to_run=ended,
                        to_day=days.get(ended) if ended else None,
                    )
                )
        return found

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, sql: str) -> list[Row]:
        return [dict(row) for row in self.here.connection.execute(text(sql), self.bound).mappings()]

    def _versions(self, table: str, where: str, more: str = "", joins: str = "") -> list[Row]:
        """Return every version up to the run, the oldest first. A version that a later run closed is still open."""
        alias = table.split()[-1]
        return self._read(
            f"select {alias}.*{more}, case when {alias}.to_run <= :then then {alias}.to_run end as closed "
            f"from golden.{table} {joins} where {alias}.owner = :owner and {where} and {alias}.from_run <= :then "
            f"order by {alias}.from_run"
        )

    def _value(self, section: str, name: str, told: tuple[str, str, str], from_run: int, to_run: int | None) -> Value:
        value, source, rule = told
        days = self.here.days
        return Value(
            section,
            name,
            value,
            SOURCES.get(source, source),
            rule,
            from_run,
            days.get(from_run),
            to_run,
            days.get(to_run) if to_run else None,
        )

    def _fields(
        self, section: str, rows: Sequence[Row], fields: Mapping[str, str], told: Callable[..., Any]
    ) -> list[Value]:
        """Return the values of each field of a table with one row a person, joined over versions that agree."""
        found = []
        for field, name in fields.items():
            spans: list[tuple[Row, int, int | None]] = []
            for row in rows:
                joined = spans and spans[-1][0][field] == row[field] and spans[-1][2] == row["from_run"]
                began = spans.pop()[1] if joined else row["from_run"]
                spans.append((row, began, row["closed"]))
            for row, began, ended in reversed(spans):
                if row[field] is not None and (said := told(field, row)):
                    found.append(self._value(section, name, said, began, ended))
        return found

    def _rows(
        self, section: str, table: str, where: str, named: Callable[[Row], str], told: Told, more: str = ""
    ) -> list[Value]:
        alias = table.split()[-1]
        joins = f"left join {self.here.now.prefix}unit u on u.unit_id = {alias}.unit_id" if more else ""
        rows = self._versions(table, where, more, joins)
        return [self._value(section, named(row), told(row), row["from_run"], row["closed"]) for row in reversed(rows)]

    # --- sections ----------------------------------------------------------------------------------------------------

    def _person(self) -> list[Value]:
        rows = self._versions("person p", "p.person_id = :one")
        if not self.graded:
            # The name of now, whatever run is asked for: a former name is not for everybody.
            newest = self._read(
                "select fornavn, mellomnavn, etternavn, kjoenn, source, from_run from golden.person "
                "where owner = :owner and person_id = :one and from_run <= :now order by from_run desc limit 1"
            )
        origins = self._origins()

        # An employee may be asked about at FREG because of protected children alone. The page then names other sources.
        others = [row["source"] for row in self._said if row["source"] != "freg"]

        def told(field: str, row: Mapping[str, Any]) -> tuple[str, str, str]:
            value, source = row[field], str(row["source"])
            if source == "freg" and not self.freg:
                source = others[0] if others else "dataflyt"
            if field in ("number", "local_number"):
                shown = value if self.numbers else _masked(str(value))
                return str(shown), "freg" if row["answered"] and self.freg else source, "Nummeret som er i bruk"
            if field in ("birth_date", "kjoenn"):
                return (str(value), *origins(field, value))
            if field == "work_email":
                return str(value), "hr", "E-posten i jobben kommer bare fra lønnssystemet"
            if field == "status":
                return str(value), "freg", "Bare Folkeregisteret har status"
            return str(value), source, _NAME_RULES.get(source, "")

        overridden = self._read(
            "select field, value, from_run, to_run from golden.overridden "
            "where owner = :owner and person_id = :one and from_run <= :now"
        )

        def decided(field: str, row: Mapping[str, Any]) -> tuple[str, str, str]:
            """Return what ``told`` does, but for a value that people have set beside the register's."""
            for one in overridden:
                holds = one["from_run"] <= row["from_run"] and (one["to_run"] or row["from_run"] + 1) > row["from_run"]
                if one["field"] == field and one["value"] == row[field] and holds:
                    return str(row[field]), "people", "En overstyring går foran registeret"
            return told(field, row)

        if self.graded:
            found = self._fields("Person", rows, _PERSON, decided)
        else:
            untold = _NAMES if self.freg else _NAMES | {"status"}
            rest = {field: name for field, name in _PERSON.items() if field not in untold}
            found = [
                self._value("Person", name, decided(field, row), row["from_run"], None)
                for row in newest
                for field, name in _PERSON.items()
                if field in _NAMES and row[field] is not None
            ] + self._fields("Person", rows, rest, told)
        dead = self._read(f"select dead from {self.here.then.prefix}person where person_id = :one")
        if dead and dead[0]["dead"]:
            since = next((row["from_run"] for row in rows if row["dead"]), self.here.then.run)
            found.append(
                self._value("Person", "Død", ("ja", "freg", "Gjelder straks, også før en kjøring"), since, None)
            )
        return found

    def _origins(self) -> Callable[[str, object], tuple[str, str]]:
        """Return a function from a field and its value to the first source that says so, and the rule."""
        said = self._said
        order = ("freg", "hr", "sas")

        def of(field: str, value: object) -> tuple[str, str]:
            for place, source in enumerate(order):
                for row in said:
                    if row["source"] == source and str(row[field] or "")[:10] == str(value):
                        passed = [SOURCES[one] for one in order[:place]]
                        return source, f"{' og '.join(passed)} sier ikke noe" if passed else (
                            "Folkeregisteret går foran lønnssystemet og skolesystemet"
                        )
            return "dataflyt", "Kilden står ikke lenger i varehuset"

        return of

    @cached_property
    def _said(self) -> list[Row]:
        """What each source says of names, birth date and gender, every version up to the run."""
        return [row for row in self._read(_SAID) if self.freg or row["source"] != "freg"]

    def _said_by_the_sources(self) -> list[Value]:
        found = []
        for row in reversed(self._said):
            said = [str(row["birth_date"])[:10]] if row["birth_date"] else []
            if self.graded:
                said = [part for part in (row["name"], *said, row["kjoenn"]) if part]
            if said:
                told = (", ".join(said), str(row["source"]), "Slik kilden selv har det")
                found.append(self._value("Kildene sier", SOURCES[row["source"]], told, row["from_run"], row["closed"]))
        return found

    def _protection(self) -> list[Value]:
        found = []
        for now in self._read(f"select * from {self.here.then.prefix}protection where person_id = :one"):
            held = " (holdes tilbake fra eksportene)" if now["held_back"] else ""
            told = (f"{_LEVELS[now['level']]}{held}", "freg", self._why(now))
            found.append(self._value("Beskyttelse", "Gjelder nå", told, self.here.then.run, None))
        for row in self._read(
            f"select v.veto, v.kind, v.level, v.cause, v.run, v.adult from {self.here.then.prefix}veto v "
            "where v.person_id = :one and v.kind <> 'access_ended' and v.kind <> 'access_suspended' order by v.veto"
        ):
            said = "død" if row["kind"] == "death" else _LEVELS.get(row["level"], "")
            told = (said, "freg", f"Gjelder straks: {_CAUSES.get(row['cause'], row['cause'])}")
            found.append(self._value("Beskyttelse", f"Veto {row['veto']}", told, row["run"], None))
        for row in reversed(self._versions("protection x", "x.person_id = :one")):
            if row["closed"] is not None:
                told = (_LEVELS[row["level"] or 0], "freg", self._why(row))
                found.append(self._value("Beskyttelse", "I kjøringene", told, row["from_run"], row["closed"]))
        return found

    def _why(self, row: Mapping[str, Any]) -> str:
        cause = _CAUSES.get(row["cause"], row["cause"])
        if row["cause_person_id"]:
            cause += f": {self._name(row['cause_person_id'])}"
        return f"Den strengeste gjelder{': ' if cause else ''}{cause}"

    def _groups(self) -> list[Value]:
        rows = self._versions("membership m", "m.person_id = :one")
        groups = self._group_names()
        return [
            self._value(
                "Grupper",
                groups.get(row["group_id"], "gruppe"),
                (
                    f"{_ROLES.get(row['role'], row['role'])}{' (kontaktlærer)' if row['contact_teacher'] else ''}",
                    *_by(row, "sas", "Medlem i skolesystemets fil"),
                ),
                row["from_run"],
                row["closed"],
            )
            for row in reversed(rows)
        ]

    def _group_names(self) -> dict[str, str]:
        """Return the person's groups in words. Names and ids are free text of the school system, and may name others.

        Without ``graded`` only a name that cannot hold another is shown (7B), and otherwise what kind of group it is.
        """
        found = self._read(
            "select distinct on (g.group_id) g.group_id, g.name, g.group_type, g.grep_code, g.year_level "
            "from golden.school_group g where g.owner = :owner and g.from_run <= :then and g.group_id = any(array("
            "select m.group_id from golden.membership m where m.owner = :owner and m.person_id = :one"
            ")) order by g.group_id, g.from_run desc"
        )
        return {row["group_id"]: self._group(row) for row in found}

    def _group(self, row: Row) -> str:
        if self.graded:
            return f"{row['name']} ({row['group_id']})"
        if plain := open_name(row["name"]):
            return plain
        level = f"{row['year_level']}. trinn" if row["year_level"] is not None else None
        code = open_code(row["grep_code"])
        return ", ".join(part for part in (_GROUP_TYPES.get(row["group_type"], "gruppe"), code, level) if part)

    def _access(self, section: str, where: str, other: str) -> list[Value]:
        """Access of the adults to the child, or of the adult to children; without those who are hidden."""
        found = []
        for row in reversed(self._versions("guardian_access g", where)):
            who, closed = str(row[other]), row["closed"]
            if not self._may_name(who):
                continue
            now = self._states.get((row["child_id"], row["adult"])) if closed is None else None
            state = now or str(row["state"])
            ansvar = f" ({row['ansvar']})" if row["ansvar"] else ""
            basis = f"{_BASES.get(row['basis'], row['basis'])}{ansvar}"
            rule = _STATE_RULES.get(state, "Tilgang følger av grunnlaget, og av ingenting annet")
            source = "freg" if row["basis"] == "foreldreansvar" else "people"
            told = (f"{_STATES.get(state, state)}: {basis}", source, rule)
            value = self._value(section, self._name_of(who), told, row["from_run"], closed)
            found.append(value if ":" in who else value._replace(other=who))
        return found

    @cached_property
    def _states(self) -> dict[tuple[UUID, str], str]:
        """The state of the person's access, as child and as adult. To plan this view takes longer than to read it."""
        rows = self._read(
            f"select child_id, adult, state from {self.here.then.prefix}guardian_access g "
            "where g.child_id = :one or g.adult = :adult"
        )
        return {(row["child_id"], row["adult"]): str(row["state"]) for row in rows}

    def _account(self) -> list[Value]:
        rows = self._versions("account a", "a.person_id = :one")
        names = {row["uid"] for row in rows if row["closed"] is None}
        found = [
            self._value(
                "FEIDE-konto",
                str(row["uid"]),
                (
                    f"{_ACCOUNTS.get(row['state'], row['state'])}, {_ACCOUNT_ROLES.get(row['role'], row['role'])}",
                    "dataflyt",
                    "Et brukernavn gis én gang og beholdes",
                ),
                row["from_run"],
                row["closed"],
            )
            for row in reversed(rows)
            if self.graded or row["uid"] in names
        ]
        return found

    def _contact(self) -> list[Value]:
        if not self.graded and self._nothing_to_use():
            said = ("ingen å bruke", "krr", "Ingen melding kan sendes til den foresatte")
            return [self._value("Kontakt", name, said, self.here.then.run, None) for name in ("E-post", "Mobil")]
        found = []
        for row in reversed(self._versions("contact c", "c.person_id = :one")):
            for name, channel in (("E-post", "email"), ("Mobil", "mobile")):
                if row[f"{channel}_hash"] is None:
                    told = "ikke registrert"
                else:
                    told = "fersk" if row[f"{channel}_fresh"] else "for gammel: eldre enn 18 måneder"
                if row[f"{channel}_at"]:
                    told += f", oppdatert {row[f'{channel}_at']:%d.%m.%Y}"
                if row["reserved"]:
                    told += ", reservert"
                said = (told, "krr", "Verdien må være oppdatert eller bekreftet de siste 18 månedene")
                found.append(self._value("Kontakt", name, said, row["from_run"], row["closed"]))
        return found

    def _nothing_to_use(self) -> bool:
        """Return whether the list of access says now that the person is a guardian whom no message reaches."""
        read = "select not message as nothing from why_shown_envelope where person_id = :one"
        shown_of(self.here, [self.person], "", read)
        return any(row["nothing"] for row in self._read(read))

    # --- other people ------------------------------------------------------------------------------------------------

    def _may_name(self, other: str) -> bool:
        try:
            known = self.others.get(UUID(other))
        except ValueError:
            return True  # an organisation, or somebody without a number
        return self.graded or (known is not None and not known.hidden)

    def _name_of(self, other: str) -> str:
        if other.startswith("org:"):
            return f"organisasjon {other.removeprefix('org:')}"
        if other.startswith("uten:"):
            return "en voksen uten fødselsnummer"
        return self._name(UUID(other))

    def _name(self, other: UUID) -> str:
        self.named.add(other)
        known = self.others.get(other)
        return known.name if known and known.name else str(other)


def _masked(number: str) -> str:
    return f"{number[:-5]}*****" if len(number) == 11 else "*****"


_WITH_SCHOOL = ", u.name as school"


def _school(row: Mapping[str, Any]) -> str:
    return str(row["school"] or row["unit_id"])


def _by(row: Mapping[str, Any], source: str, rule: str) -> tuple[str, str]:
    """Return the source and the rule of a row, which people may have registered by hand."""
    return (source, rule) if row["manual"] is None else ("people", "Registrert for hånd")


def _enrolment(row: Mapping[str, Any]) -> tuple[str, str, str]:
    level = f", {row['year_level']}. trinn" if row["year_level"] is not None else ""
    main = "" if row["main"] else " (ikke hovedskole)"
    by = _by(row, "sas", "Elev på skolen i skolesystemets fil")
    return f"{_school(row)}, {row['school_year']}{level}{main}", *by


def _employment(row: Mapping[str, Any]) -> tuple[str, str, str]:
    percentage = f", {row['percentage']:g} %" if row["percentage"] is not None else ""
    by = _by(row, "hr", "Stilling i lønnssystemets fil")
    return f"{row['position_name'] or 'stilling'} ved {_school(row)}{percentage}", *by


# By every number and local id that stands for the person. Closed rows have an index of their own: see 0015.
_SAID = """
with mine as (
    select distinct scheme, value from golden.person_link
    where owner = :owner and person_id = :one and from_run <= :then
),
said as (
    select 'freg' as source, n.subject, n.from_run, n.to_run,
        concat_ws(' ', n.fornavn, n.mellomnavn, n.etternavn) as name, null as birth_date, null as kjoenn
    from mine m join history.freg_navn n on n.owner = :owner and n.subject = m.value
    where m.scheme = 'number' and n.ergjeldende is not false and {open}
    union all
    select 'freg', n.subject, n.from_run, n.to_run, null, n.foedselsdato, n.kjoenn
    from mine m join history.freg_person n on n.owner = :owner and n.subject = m.value
    where m.scheme = 'number' and {open}
    union all
    select 'hr', n.subject, n.from_run, n.to_run, concat_ws(' ', n.given_name, n.family_name), n.birth_date, n.sex
    from mine m join history.hr_employee n on n.owner = :owner and n.subject = m.value
    where m.scheme = 'hr' and {open}
    union all
    select 'sas', n.subject, n.from_run, n.to_run, concat_ws(' ', n.given_name, n.family_name), n.birth_date, n.sex
    from mine m join history.sas_person n on n.owner = :owner and n.subject = m.value
    where m.scheme = 'sas' and {open}
)
select source, name, birth_date, kjoenn, from_run, case when to_run <= :then then to_run end as closed
from said where from_run <= :then
"""
_SAID = (
    f"({_SAID.format(open='n.to_run is null')}) union all ({_SAID.format(open='n.to_run is not null')}) "
    "order by source, from_run"
)
