"""All that a kommune holds about one person, for the person: GDPR art. 15.

In: an identity number, and the number of the guardian who asks when it is not the person. Out: data for JSON, and a
``Document`` in Norwegian: every row with its source, purpose and time, who received it, and when it was looked at.

What is about other people is left out: their numbers, ids, names and addresses stand as ``OTHER``. A child's document
for a guardian has no address either, since it is the other parent's too. A parent's document names a child only while
the parent has access.

A person answers when the answer could hurt somebody: protection of the person or of somebody close, a decision about
the person, an id that several people have shared, a guardian without access. Nothing held gives the same sentence, so
the sentence tells nothing. With the right ``graded`` the reasons are told, and the document is made as a draft.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import NotAllowed
from dataflyt.formats.dates import OSLO
from dataflyt.identity import numbers
from dataflyt.records import disclosed, titles
from dataflyt.records.documents import Document, Section
from dataflyt.records.fields import FIELDS, KEPT_FOR, PURPOSES, SOURCES
from dataflyt.run.environment import Environment
from dataflyt.run.looking import looking
from dataflyt.warehouse import actions, audit, everyone, shown
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.erasure import IDENTIFIERS
from dataflyt.warehouse.people import NotFound
from dataflyt.warehouse.refusals import refusals
from dataflyt.warehouse.tables import source_tables

OTHER: Final = "(gjelder en annen person)"
LEFT_OUT: Final = "(utelatt)"
BY_A_PERSON: Final = (
    "Dataflyt kan ikke svare på dette innsynet alene: kommunen har ingenting om nummeret, eller en person må behandle "
    "det. Gi henvendelsen til en som har retten «graded» i kommunefilen."
)
"""The one sentence for everything that is not answered. It must not tell which of the reasons there is."""

REASONS: Final = {
    "nothing": "kommunen har ingenting om nummeret",
    "protected": "personen er eller har vært beskyttet, eller er holdt tilbake",
    "near": "noen som står personen nær, er eller har vært beskyttet",
    "decided": "det er bestemt noe om personen: sperring, suspensjon, tilgang, samtykke eller overstyring",
    "shared": "flere personer har hatt samme nummer eller id",
    "requester": "den som spør på vegne av barnet, har ikke tilgang til barnet nå",
}
"""Each reason for a person to answer, as those with ``graded`` read it."""

_OTHERS = {
    "ansvarlig", "ansvarssubjekt", "relatertperson", "child_id", "guardian_id", "coadressenavn",
    "ansvarligutenidentifikator_fornavn", "ansvarligutenidentifikator_mellomnavn",
    "ansvarligutenidentifikator_etternavn", "ansvarligutenidentifikator_foedselsdato",
}  # fmt: skip
"""Columns in which somebody else may stand."""
_ADDRESSES = ("freg_bostedsadresse", "freg_annenAdresse")


@dataclass(frozen=True)
class Answer:
    """The answer: ``data`` for JSON, the same as a ``document``, and the person's id for the file's name."""

    person_id: UUID
    data: dict[str, Any]
    document: Document


def subject_access(
    kommune: Kommune,
    environment: Environment,
    number: str,
    visitor: Visitor,
    *,
    graded: bool = False,
    requester: str | None = None,
) -> Answer:
    """Return all that is held about the person with this number. The look is kept in the audit, answered or refused.

    Raises NotAllowed without the rights, for a text that is no number, and with ``BY_A_PERSON`` when a person must
    answer. With ``graded`` it answers all the same, with the reasons in a frame at the top.
    """
    with (
        refusals(kommune, environment.connect, visitor, "subject access", [number]),
        looking(kommune, environment) as at,
    ):
        kommune.case_worker(visitor.id, "persons")
        if graded:
            kommune.case_worker(visitor.id, "graded")
        for asked in (number, requester):
            read = numbers.read(asked) if asked else None
            if asked is not None and not (read and read.kind == "number"):
                raise NotAllowed("Skriv fødselsnummer eller D-nummer, elleve sifre.")
        connection = at.connection
        shown.views(at.now)
        person, reasons = _whom(connection, kommune, number, requester)
        if person and (graded or not reasons):
            audit.record(connection, kommune.id, visitor, "subject access", [person])
            return _answer(connection, kommune, person, requester, reasons, environment.now())
        raise NotAllowed("Kommunen har ingenting om nummeret." if graded else BY_A_PERSON)


def _whom(
    connection: Connection, kommune: Kommune, number: str, requester: str | None
) -> tuple[UUID | None, list[str]]:
    """Return the person, and why a person must answer; None when nothing is held."""
    owner, realm = kommune.id, kommune.feide.realm
    try:
        person = everyone.find(connection, owner, number, graded=True, realm=realm)
    except NotFound:
        return None, ["nothing"]
    bound = {"owner": owner, "person": person}
    near = set(connection.execute(text(_NEAR), bound).scalars())
    hidden = everyone.hidden(connection, owner, {person, *near})
    reasons = ["protected"] if person in hidden else []
    if hidden & near:
        reasons.append("near")
    reasons += [why for why, sql in (("decided", _DECIDED), ("shared", _SHARED)) if connection.scalar(text(sql), bound)]
    if requester is not None:
        try:
            adult = everyone.find(connection, owner, requester, graded=True, realm=realm)
            may = connection.scalar(text(_HAS_ACCESS), bound | {"adult": str(adult)})
        except NotFound:
            may = False
        reasons += [] if may else ["requester"]
    return person, reasons


_HAS_ACCESS = """
select exists (
    select from now_guardian_access where child_id = :person and adult = :adult and state = 'active'
)
"""
# Everybody whom the person's rows lead to, in any run: children, guardians, the guardians' other children, a household.
_NEAR = """
with pair as (
    select child_id, control.as_uuid(adult) as adult_id from golden.guardian_access where owner = :owner
),
close_to as (
    select adult_id as person_id from pair where child_id = :person
    union select child_id from pair where adult_id = :person
),
further as (
    select person_id from close_to
    union select p.child_id from pair p join close_to c on c.person_id = p.adult_id
    union select p.adult_id from pair p join close_to c on c.person_id = p.child_id
    union select cause_person_id from golden.protection where owner = :owner and person_id = :person
    union select cause_person_id from control.veto where owner = :owner and person_id = :person
    union select s.person_id from golden.person_link me
        join history.freg_familierelasjon f on f.owner = :owner and f.subject = me.value
        join golden.person_link s on s.owner = :owner and s.scheme = 'number' and s.value = f.relatertperson
        where me.owner = :owner and me.scheme = 'number' and me.person_id = :person
    union select s.person_id from golden.person_link me
        join history.freg_bostedsadresse a on a.owner = :owner and a.subject = me.value and a.bolig is not null
        join history.freg_bostedsadresse b on b.owner = :owner and b.bolig = a.bolig
        join golden.person_link s on s.owner = :owner and s.scheme = 'number' and s.value = b.subject
        where me.owner = :owner and me.scheme = 'number' and me.person_id = :person
)
select person_id from further where person_id is not null and person_id <> :person
"""
_DECIDED = """
select exists (select from control.access_block where owner = :owner and (child_id = :person or adult = :person::text))
    or exists (select from control.access_grant where owner = :owner and (child_id = :person or adult = :person::text))
    or exists (select from control.consent where owner = :owner and given_by = :person::text)
    or exists (select from control.override where owner = :owner and person_id = :person)
    or exists (select from control.publishable where owner = :owner and person_id = :person)
    or exists (select from control.manual_person where owner = :owner and stands_for = :person)
    or exists (select from golden.employment where owner = :owner and person_id = :person and manual is not null)
    or exists (select from golden.enrolment where owner = :owner and person_id = :person and manual is not null)
    or exists (select from golden.membership where owner = :owner and person_id = :person and manual is not null)
    or exists (select from control.link where owner = :owner and :person in (person_id, became))
    or exists (select from control.proposal where owner = :owner and position(:person::text in said) > 0)
    or exists (
        select from control.veto where owner = :owner and kind in ('access_suspended', 'protection')
            and (person_id = :person or adult = :person::text or cause_person_id = :person)
    )
""".replace(":person::text", "cast(:person as text)")
_SHARED = """
select exists (select from control.identity_change where owner = :owner and (person_id = :person or became = :person))
    or exists (
        select from golden.person_link mine
        join golden.person_link theirs on theirs.owner = :owner and theirs.scheme = mine.scheme
            and theirs.value = mine.value and theirs.person_id <> mine.person_id
        where mine.owner = :owner and mine.person_id = :person
    )
"""


def _answer(
    connection: Connection, kommune: Kommune, person: UUID, requester: str | None, reasons: list[str], now: datetime
) -> Answer:
    guardian = requester is not None
    held = _from_sources(connection, kommune.id, person, requester)
    held += _computed(connection, kommune.id, person, guardian=guardian)
    files = disclosed.of_person(connection, kommune, person)
    looks = list(connection.execute(text(_LOOKS), {"owner": kommune.id, "person": person}))
    data: dict[str, Any] = {
        "kommune": kommune.display_name,
        "made_at": now.isoformat(),
        "must_be_handled_by_a_person": [REASONS[reason] for reason in reasons],
        "asked_by_guardian": guardian,
        "held": held,
        "recipients": [
            {
                "export": one.export,
                "recipients": list(one.recipients),
                "from": one.since.isoformat(),
                "to": one.until and one.until.isoformat(),
            }
            for one in files
        ],
        "looks": [
            {
                "at": look.at.isoformat(),
                "action": actions.title(look.action),
                # What somebody has typed may be about others: only the kommune's own words are given.
                "purpose": look.purpose if look.purpose in kommune.purposes else "skrevet med egne ord",
            }
            for look in looks
        ],
        "kept_for": _kept_for(kommune),
        "rights": _RIGHTS,
    }
    return Answer(person, data, _document(kommune, data, reasons, now))


_LOOKS = "select at, action, purpose from control.audit where owner = :owner and person_id = :person order by at"
_RIGHTS = [
    "Du kan be om at opplysninger som er feil, blir rettet. De rettes der de kommer fra.",
    "Du kan be om sletting når du ikke lenger er elev, ansatt eller foresatt.",
    "Du kan klage til kommunens personvernombud og til Datatilsynet.",
]


def _kept_for(kommune: Kommune) -> dict[str, str]:
    return {what: how.format(days=kommune.retention.history_days) for what, how in KEPT_FOR.items()}


def _from_sources(connection: Connection, owner: str, person: UUID, requester: str | None) -> list[dict[str, Any]]:
    """Return every row of the sources whose subject is the person, with what is about others left out."""
    bound = {"owner": owner, "person": person}
    own = set(
        connection.execute(
            text("select value from golden.person_link where owner = :owner and person_id = :person"), bound
        ).scalars()
    )
    may_stand = own | ({requester} if requester else set())
    contact: dict[str, str] = {hash_: value for hash_, value in connection.execute(text(_CONTACT), bound)}
    found = []
    for name, columns in IDENTIFIERS.items():
        scheme, column = columns[0]
        table = source_tables()[name]
        listed = ", ".join(f'x."{one.lower()}"' for one in table.columns)
        rows = connection.execute(
            text(_ROWS.format(listed=listed, table=name, column=column)), bound | {"scheme": scheme}
        )
        found += [
            {
                "source": SOURCES[table.source],
                "table": name,
                "from": row.began.isoformat(),
                "to": row.ended and row.ended.isoformat(),
                "fields": [
                    {
                        "field": field,
                        "value": _value(name, field, row[place], may_stand, contact, guardian=requester is not None),
                        "purpose": PURPOSES[FIELDS[name][field]],
                    }
                    for place, field in enumerate(table.columns)
                    if row[place] is not None
                ],
            }
            for row in rows
        ]
    return found


def _value(
    table: str, field: str, value: object, may_stand: set[str], contact: dict[str, str], *, guardian: bool
) -> object:
    if guardian and table in _ADDRESSES and field not in ("foedselsEllerDNummer", "element"):
        return LEFT_OUT
    if field.lower() in _OTHERS and value not in may_stand:
        return OTHER
    if field in ("epostadresse", "mobiltelefonnummer"):
        return contact.get(str(value), "(bare som nøkkelhash: en tidligere verdi)")
    return value


# The values in clear that the person's own rows of the contact register point to, while the contact is kept.
_CONTACT = """
select v.hash, v.value
from control.contact_value v
where v.owner = :owner
    and exists (select from golden.contact c where c.owner = :owner and c.person_id = :person)
    and v.hash in (
        select unnest(array[x.epostadresse, x.mobiltelefonnummer])
        from history.krr_contact x
        join golden.person_link l on l.owner = :owner and l.person_id = :person and l.scheme = 'number'
            and l.value = x.personidentifikator and l.from_run <= x.from_run
            and coalesce(l.to_run, 9223372036854775807) > x.from_run
        where x.owner = :owner
    )
"""
_ROWS = """
select {listed}, f.as_of as began, t.as_of as ended
from history.{table} x
join golden.person_link l on l.owner = :owner and l.person_id = :person and l.scheme = :scheme and l.value = x.{column}
    and l.from_run <= x.from_run and coalesce(l.to_run, 9223372036854775807) > x.from_run
join control.run f on f.owner = :owner and f.run = x.from_run
left join control.run t on t.owner = :owner and t.run = x.to_run
where x.owner = :owner
order by x.from_run, x.key
"""

_COMPUTED: Final = {
    "Elev ved": "select unit_id, school_year, year_level, from_date, to_date from golden.enrolment x "
    "where owner = :owner and person_id = :person",
    "Ansatt ved": "select unit_id, position_name, percentage, from_date, to_date, staff_role, subrole, teacher_subrole "
    "from golden.employment x where owner = :owner and person_id = :person",
    "Grupper": "select group_id, (select g.name from now_shown_school_group g where g.group_id = x.group_id) as name, "
    "role, staff_role, subrole from golden.membership x where owner = :owner and person_id = :person",
    "Navn og nummer i det samlede registeret": "select number, local_number, fornavn, mellomnavn, etternavn, "
    "birth_date, kjoenn, work_email, status, source from golden.person x where owner = :owner and person_id = :person",
    "FEIDE-konto": "select uid, role, state from golden.account x where owner = :owner and person_id = :person",
    "Voksne med tilgang": "select adult_kind, basis, ansvar, state from golden.guardian_access x "
    "where owner = :owner and child_id = :person",
    # A child has its name here only while the parent has access now.
    "Barn": "select (select concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn) from now_person p "
    "join now_guardian_access a on a.child_id = p.person_id and a.adult = cast(:person as text) "
    "and a.state = 'active' where p.person_id = x.child_id) as child, basis, state from golden.guardian_access x "
    "where owner = :owner and adult = cast(:person as text)",
}
"""What the warehouse has put together from the sources, as one heading and one query each."""


def _computed(connection: Connection, owner: str, person: UUID, *, guardian: bool) -> list[dict[str, Any]]:
    found = []
    for heading, sql in _COMPUTED.items():
        if guardian and heading == "Voksne med tilgang":
            continue  # the other parent's
        with_runs = ", x.from_run, x.to_run from golden.".join(sql.rsplit(" from golden.", 1))
        timed = (
            f"select y.*, f.as_of as began, t.as_of as ended from ({with_runs}) y "
            "join control.run f on f.owner = :owner and f.run = y.from_run "
            "left join control.run t on t.owner = :owner and t.run = y.to_run order by y.from_run"
        )
        for row in connection.execute(text(timed), {"owner": owner, "person": person}).mappings():
            values = {key: value for key, value in row.items() if key not in ("from_run", "to_run", "began", "ended")}
            if "child" in values and values["child"] is None:
                values["child"] = OTHER
            found.append(
                {
                    "source": "satt sammen av Dataflyt",
                    "table": heading,
                    "from": row["began"].isoformat(),
                    "to": row["ended"] and row["ended"].isoformat(),
                    "fields": [
                        {"field": key, "value": _plain(value), "purpose": ""}
                        for key, value in values.items()
                        if value is not None
                    ],
                }
            )
    return found


def _plain(value: object) -> object:
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _document(kommune: Kommune, data: dict[str, Any], reasons: list[str], now: datetime) -> Document:
    sections = []
    for source in dict.fromkeys(row["source"] for row in data["held"]):
        rows = [
            (
                titles.table(row["table"]),
                titles.field(one["field"]),
                one["value"],
                one["purpose"],
                _day(row["from"]),
                _day(row["to"]),
            )
            for row in data["held"]
            if row["source"] == source
            for one in row["fields"]
        ]
        columns = ("Hva", "Felt", "Verdi", "Formål", "Fra", "Til")
        sections.append(
            Section(f"Fra {source}" if rows and rows[0][3] else source[:1].upper() + source[1:], (), columns, rows)
        )
    sections += [
        Section(
            "Hvem som har fått opplysninger",
            () if data["recipients"] else ("Ingen.",),
            ("Eksport", "Mottakere", "Fra", "Til"),
            [
                (one["export"], "; ".join(one["recipients"]), _time(one["from"]), _time(one["to"]) or "nå")
                for one in data["recipients"]
            ],
        ),
        Section(
            "Når noen har slått opp personen",
            () if data["looks"] else ("Ingen har slått opp personen.",),
            ("Når", "Hva", "Formål"),
            [(_time(look["at"]), look["action"], look["purpose"]) for look in data["looks"]],
        ),
        Section("Hvor lenge det står", (), ("Hva", "Hvor lenge"), list(data["kept_for"].items())),
        Section("Rettigheter", data["rights"]),
    ]
    warning = ""
    if reasons:
        warning = "Utkast. En person må gå gjennom dette før det gis ut: " + "; ".join(REASONS[one] for one in reasons)
    return Document(
        f"Innsyn i personopplysninger: {kommune.name} kommune",
        (
            f"Dette er alt Dataflyt har om personen {now.astimezone(OSLO):%d.%m.%Y kl. %H.%M}. Rettslig grunnlag: "
            f"{kommune.legal_basis.text}.",
            f"Der det står «{OTHER}», er det noen andres opplysninger.",
            *(
                ("Adressen er utelatt, fordi en foresatt har bedt om innsynet på vegne av barnet.",)
                if data["asked_by_guardian"]
                else ()
            ),
        ),
        sections,
        warning,
    )


def _day(written: str | None) -> str:
    return f"{datetime.fromisoformat(written).astimezone(OSLO):%d.%m.%Y}" if written else ""


def _time(written: str | None) -> str:
    return f"{datetime.fromisoformat(written).astimezone(OSLO):%d.%m.%Y kl. %H.%M.%S}" if written else ""
