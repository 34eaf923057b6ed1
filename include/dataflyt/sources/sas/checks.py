"""Faults in files from the school administration system, the party that corrects each, and the effect meanwhile.

A row in quarantine leaves the last released row of its key unchanged. Rows that point to it still count it as being in
the file: one malformed number does not take the person's classes away. Codes are PIFU-IMS 1.3's.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dataflyt.quality.expectations import build
from dataflyt.quality.rules import (
    Context,
    Rule,
    Rules,
    absent,
    ambiguous,
    between,
    checksum,
    dates_in_order,
    filled,
    filled_in,
    kept,
    letters,
    never,
    no_rows,
    note,
    one_of,
    present,
    readable_dates,
    reference_to,
    row,
    seldom,
    table,
)
from dataflyt.sources.sas import rows
from dataflyt.sources.sas.values import SUBROLES

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

_SCHOOL = "skolen"
_ADMIN = "systemansvarlig"
_US = "dataingeniør"

_GROUP = ("group_id", "sas_group.group_id", "sas_school.school_id")
_PERSON = ("person_id", "sas_person.person_id")
# Today's pupils according to the school, without pupils who have left and private candidates.
_PUPIL = "m.role = '01' and m.active is not false and m.subrole is distinct from 'privatist'"
_UNREADABLE = row(
    "date",
    readable_dates("begin_date", "end_date", placeholders=True),
    _SCHOOL,
    "Start- eller sluttdatoen kan ikke leses, eller årstallet kan ikke stemme.",
)
_REVERSED = row("dates", dates_in_order("begin_date", "end_date"), _SCHOOL, "Sluttdatoen er før startdatoen.")

_WITH_SUBROLE = ", ".join(f"'{role} {subrole}'" for role, subroles in SUBROLES.items() for subrole in subroles)


def _letters(*columns: str, of_people: bool = False) -> tuple[Rule, Rule]:
    return letters(*columns, responsible=_SCHOOL, supplier=_ADMIN, file="Skolesystemets fil", of_people=of_people)


# Control digit of an organisation number (Brønnøysundregistrene).
_ORGNR = f"({checksum('orgnr', 3, 2, 7, 6, 5, 4, 3, 2, 1)}) is distinct from 0"

RULES: Rules = {
    "sas_school": (
        table("empty", filled(), _ADMIN, "Filen har ingen skoler."),
        table("drop", kept(), _ADMIN, "Filen har langt færre skoler enn sist."),
        row("id", filled_in("school_id"), _ADMIN, "Skolen har ikke id."),
        *letters("name", responsible=_ADMIN, supplier=_ADMIN, file="Skolesystemets fil"),
        row(
            "orgnr",
            never(f"level = 'skole' and {_ORGNR}"),
            _ADMIN,
            "Skolen mangler et gyldig organisasjonsnummer, og kan ikke være i Feide uten.",
        ),
        row(
            "ambiguous",
            ambiguous(rows.School._fields),
            _ADMIN,
            "Samme skole står to ganger med ulike opplysninger.",
        ),
        note("level", one_of("level", "skoleeier", "skole"), _US, "Enheten er verken skoleeier eller skole."),
        note("no_name", filled_in("name"), _ADMIN, "Skolen har ikke navn."),
        note(
            "shared_orgnr",
            never(
                "level = 'skole' and exists (select from sas_school as other where other.level = 'skole' "
                "and other.orgnr = t.orgnr and other.school_id <> t.school_id)"
            ),
            _ADMIN,
            "To skoler har samme organisasjonsnummer.",
        ),
        note(
            "no_pupils",
            never(
                "level = 'skole' and not exists (select from sas_membership as m "
                "left join sas_group as g on g.group_id = m.group_id "
                f"where {_PUPIL} and coalesce(g.school_id, m.group_id) = t.school_id)"
            ),
            _ADMIN,
            "Skolen har ingen elever i filen.",
        ),
    ),
    "sas_group": (
        table("drop", kept(), _ADMIN, "Filen har langt færre grupper enn sist."),
        row("id", filled_in("group_id"), _SCHOOL, "Gruppen har ikke id."),
        *_letters("name", "long_name"),
        row(
            "no_school",
            reference_to("school_id", "sas_school.school_id"),
            _SCHOOL,
            "Gruppen hører ikke til en skole som er i filen.",
        ),
        _UNREADABLE,
        _REVERSED,
        row(
            "ambiguous",
            ambiguous(rows.Group._fields),
            _SCHOOL,
            "Samme gruppe står to ganger med ulike opplysninger.",
        ),
        note("no_name", filled_in("name", "long_name"), _SCHOOL, "Gruppen har ikke navn."),
        note(
            "grep_code",
            never("group_type = 'undervisningsgruppe' and coalesce(grep_code, '') !~ '^[A-ZÆØÅ]+[0-9]+$'"),
            _SCHOOL,
            "Undervisningsgruppen mangler fagkode, og kommer ikke til Feide uten.",
        ),
        note("year_level", between("year_level", 1, 13), _SCHOOL, "Trinnet er ikke mellom 1 og 13."),
    ),
    "sas_person": (
        table("empty", filled(), _ADMIN, "Filen har ingen personer."),
        table("drop", kept(), _ADMIN, "Filen har langt færre personer enn sist."),
        # A guardian entered by hand often lacks a number.
        table(
            "no_number",
            seldom(
                "number is null and number_kind is distinct from 'encrypted'",
                percent=20,
                among="exists (select from sas_membership as m where m.person_id = t.person_id)",
            ),
            _ADMIN,
            "Over 20 prosent av elever og ansatte mangler fødselsnummer.",
        ),
        table(
            "encrypted",
            never(
                "number_kind = 'encrypted' "
                "and not exists (select from sas_person as other where other.number is not null)"
            ),
            _ADMIN,
            "Alle fødselsnumrene i filen er kryptert, og da kan ikke Folkeregisteret spørres om noen: bestill en fil "
            "med fødselsnumre i klartekst (personNIN) fra leverandøren av skolesystemet.",
        ),
        row("id", filled_in("person_id"), _SCHOOL, "Personen har ikke id."),
        *_letters("given_name", "family_name", "full_name", of_people=True),
        # These persons are not quarantined, since they have a place in school. They are held back until somebody
        # decides.
        *(
            note(
                rule,
                never(f"{what} and exists (select from sas_membership as m where m.person_id = t.person_id)"),
                owner,
                reason,
            )
            for rule, what, owner, reason in (
                (
                    "miswritten",
                    "number_kind = 'miswritten'",
                    _SCHOOL,
                    "Det som står som fødselsnummer, er ikke et: rett det i skolesystemet. En elev holdes tilbake "
                    "til da.",
                ),
                (
                    "without_number",
                    "number is null and number_kind is null",
                    _SCHOOL,
                    "Personen har ikke fødselsnummer. En elev holdes tilbake til det kommer, eller systemansvarlig har "
                    "bestemt noe annet.",
                ),
                (
                    "provisional",
                    "number_kind = 'provisional'",
                    _SCHOOL,
                    "Nummeret er midlertidig. En elev holdes tilbake til fødselsnummeret kommer, eller "
                    "systemansvarlig har bestemt noe annet.",
                ),
                (
                    "duf",
                    "number_kind = 'duf'",
                    _SCHOOL,
                    "Nummeret er et DUF-nummer. En elev holdes tilbake til fødselsnummeret kommer, eller "
                    "systemansvarlig har bestemt noe annet.",
                ),
                (
                    "encrypted_number",
                    "number_kind = 'encrypted'",
                    _ADMIN,
                    "Nummeret er kryptert: bestill en fil med fødselsnumre i klartekst fra leverandøren. En elev "
                    "holdes tilbake til da.",
                ),
            )
        ),
        row(
            "no_name",
            filled_in("given_name", "family_name", "full_name"),
            _SCHOOL,
            "Personen har verken fornavn eller etternavn.",
        ),
        row(
            "birth_date",
            readable_dates("birth_date"),
            _SCHOOL,
            "Fødselsdatoen kan ikke leses, eller årstallet kan ikke stemme.",
        ),
        row(
            "ambiguous",
            ambiguous(rows.Person._fields),
            _SCHOOL,
            "Samme person står to ganger med ulike opplysninger.",
        ),
        note(
            "disabled",
            never("recstatus = 'disabled'"),
            _SCHOOL,
            "Brukeren er slått av i skolesystemet (enabledUser false), og står likevel i filen.",
        ),
        note(
            "shared_number",
            never(
                "exists (select from sas_person as other "
                "where other.number = t.number and other.person_id <> t.person_id)"
            ),
            _SCHOOL,
            "To personer i det skoleadministrative systemet har samme fødselsnummer.",
        ),
    ),
    "sas_membership": (
        table("empty", filled(), _ADMIN, "Filen har ingen medlemskap i grupper."),
        table("drop", kept(), _ADMIN, "Filen har langt færre medlemskap enn sist."),
        table(
            "orphans",
            seldom(absent(*_GROUP), absent(*_PERSON), percent=10),
            _ADMIN,
            "Over ti prosent av medlemskapene peker på grupper eller personer som ikke er i filen.",
        ),
        row("no_group", reference_to(*_GROUP), _SCHOOL, "Medlemskapet er i en gruppe som ikke er i filen."),
        row("no_person", reference_to(*_PERSON), _SCHOOL, "Medlemskapet er for en person som ikke er i filen."),
        row("no_role", present("role"), _SCHOOL, "Medlemskapet har ingen rolle."),
        row(
            "role",
            one_of("role", *(f"0{role}" for role in range(1, 9))),
            _US,
            "Medlemskapet har en rolle vi ikke kjenner.",
        ),
        note(
            "private_candidate",
            never("role = '01' and subrole = 'privatist'"),
            _SCHOOL,
            "Eleven er privatist, og regnes ikke som elev ved skolen.",
        ),
        note(
            "subrole",
            never(
                f"subrole is not null and role || ' ' || lower(subrole) not in ({_WITH_SUBROLE}, '01 privatist') "
                "and subrole !~ '^[EAFMNUPRVOSDILK]$'"
            ),
            _US,
            "Medlemskapet har en underrolle som rollen ikke har i PIFU. Underrollen blir ikke med videre.",
        ),
        _UNREADABLE,
        _REVERSED,
    ),
    "sas_guardian": (
        row(
            "no_child",
            reference_to("child_id", "sas_person.person_id"),
            _SCHOOL,
            "Kontaktpersonen hører til et barn som ikke er i filen.",
        ),
        row(
            "no_guardian",
            reference_to("guardian_id", "sas_person.person_id"),
            _SCHOOL,
            "Kontaktpersonen er ikke i filen.",
        ),
        row("self", never("child_id = guardian_id"), _SCHOOL, "Barnet står som kontaktperson for seg selv."),
        note(
            "contact_type",
            one_of("contact_type", "guardian", "nextOfKin"),
            _US,
            "Kontaktpersonen er av et slag vi ikke kjenner.",
        ),
    ),
    "sas_timetable": (
        *letters(
            *("group_id", "room"),
            responsible=_SCHOOL,
            supplier=_ADMIN,
            file="Timeplanen",
            what="Timens gruppe eller rom",
        ),
        row(
            "no_group",
            reference_to("group_id", "sas_group.group_id"),
            _SCHOOL,
            "Timen er for en gruppe som ikke er i filen.",
        ),
        row("no_weekday", present("weekday"), _SCHOOL, "Timen har ingen ukedag."),
        row("weekday", between("weekday", 1, 7), _SCHOOL, "Ukedagen er ikke mellom 1 og 7."),
        row(
            "time",
            never(
                "coalesce(not pg_input_is_valid(start, 'time') or not pg_input_is_valid(\"end\", 'time') "
                'or "end" <= start, true)'
            ),
            _SCHOOL,
            "Timens start eller slutt kan ikke leses, eller slutten er før starten.",
        ),
    ),
}


_MANY = 10
"""Pupils. A school with fewer may lose most of them in a week."""


def _emptied(pupils: Mapping[str, int]) -> Sequence[Rule]:
    """Declare that no school has lost more than half of its pupils since the last released run.

    A file that claims to be full may hold only changes ("kompakt", seen in county schools' PIFU files). Some schools
    are then whole, and others nearly gone. Barnehage and SFO are left out: they may empty in summer.
    """
    before = ", ".join(
        f"('{orgnr}', {count})"
        for orgnr, count in sorted(pupils.items())
        if count >= _MANY and len(orgnr) == 9 and orgnr.isascii() and orgnr.isdecimal()
    )
    if not before:
        return ()
    query = (
        f"select count(*) as found from (values {before}) as before (orgnr, pupils) left join ({PUPILS_PER_SCHOOL}) "
        "as now on now.orgnr = before.orgnr where coalesce(now.pupils, 0) * 2 < before.pupils having count(*) > 0"
    )
    return (
        table(
            "emptied",
            no_rows(query.replace("{memberships}", "{batch}")),
            _ADMIN,
            "En skole har mistet over halvparten av elevene siden sist: filen er kanskje ikke hel, selv om den sier at "
            "den er det. Er det riktig, start en kjøring med full innlasting.",
        ),
    )


PUPILS_PER_SCHOOL = (
    "select s.orgnr, count(distinct m.person_id) as pupils from {memberships} as m "
    "left join sas_group as g on g.group_id = m.group_id "
    f"join sas_school as s on s.school_id = coalesce(g.school_id, m.group_id) where {_PUPIL} "
    "and coalesce(s.school_type, '') not in ('barnehage', 'sfo') group by s.orgnr"
)


def suites(context: Context) -> "list[ExpectationSuite]":
    """Make the suites of the school administration system's tables, for a run that has read its files."""
    return build({**RULES, "sas_membership": (*RULES["sas_membership"], *_emptied(context.pupils))}, context)
