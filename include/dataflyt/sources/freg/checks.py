"""Faults in FREG's answers: the rule for each, the party that has to correct it, and the effect meanwhile.

A row in quarantine holds back FREG's answer about that person in that table (a row of ``person``: in all tables), and
the last released answer stays. A row that may carry a protection is therefore never put in quarantine for its contents:
no row of ``adressebeskyttelse``, and no address that is graded, known word or not. An unknown grading counts as
strengtFortrolig. The number of rows that may carry a protection is never told.

Documents that disagree about one person put the person in quarantine, so that neither document gives anything.
``withdraw`` reads all staged rows, and takes away what both documents take away.

Skatteetaten adds code values without notice ("tolerate unknown values", Folkeregisteret API documentation). Only an
unknown ``ansvar`` is held back, since it decides who gets access to a child.
"""

from typing import TYPE_CHECKING

from dataflyt.quality.expectations import build
from dataflyt.quality.rules import (
    Context,
    Rule,
    Rules,
    ambiguous,
    blank,
    dates_in_order,
    filled,
    garbled,
    identity_number,
    kept,
    matches,
    never,
    never_any,
    not_digits,
    note,
    one_of,
    present,
    readable_dates,
    reference_to,
    row,
    seldom,
    table,
)
from dataflyt.sources.freg import EMPLOYEES, GUARDIANS, rows

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

_FREG = "Folkeregisteret"
_US = "dataingeniør"
_SUBJECT = "foedselsEllerDNummer"

_MALFORMED = row("number", identity_number(_SUBJECT), _FREG, "Fødsels- eller d-nummeret har ikke elleve siffer.")
_UNANSWERED = row(
    "unanswered",
    reference_to(_SUBJECT, f"freg_person.{_SUBJECT}"),
    _US,
    "Opplysningen hører til en som ikke er i svaret.",
)
_GARBLED = f"erGjeldende is not false and {garbled('fornavn', 'mellomnavn', 'etternavn')}"
_OPEN = "t.adressegradering = 'ugradert'"
_EMPLOYEE = f"starts_with(page, '{EMPLOYEES}')"
# The row of a person without an address. If its number is not valid, it is held back with its person.
_NO_ADDRESS = "row(adressegradering, adressetype, kommunenummer, bolig, flyttedato, gyldighetstidspunkt) is null"
# If FREG has answered several times about a person, only the first document is counted. The others must not make up for
# missing people, and their absence in the next run is no loss.
_ONCE = """not exists (
    select from freg_person p
    join (select subject, min(page) as first from freg_person group by subject having count(*) > 1) as several
        on several.subject = p.subject and several.first < p.page
    where p.subject = t.subject and p.page = t.page
)"""


def _address(nothing: str = "false") -> tuple[Rule, ...]:
    return (
        table(
            "graded_number",
            never_any(f"{not_digits(_SUBJECT, 11)} and {_OPEN} is not true and not ({nothing})"),
            _FREG,
            "En gradert adresse har ikke et gyldig fødsels- eller d-nummer, så vi vet ikke hvem den skjermer.",
        ),
        row(
            "number",
            never(f"{not_digits(_SUBJECT, 11)} and {_OPEN}"),
            _FREG,
            "Fødsels- eller d-nummeret har ikke elleve siffer.",
        ),
        note("kommunenummer", matches("kommunenummer", r"^\d{4}$"), _FREG, "Kommunenummeret har ikke fire siffer."),
        note(
            "grading",
            never_any("t.adressegradering not in ('ugradert', 'klientadresse', 'fortrolig', 'strengtFortrolig')"),
            _US,
            "Folkeregisteret bruker en gradering vi ikke kjenner. Den regnes som strengt fortrolig.",
        ),
    )


# The comparison of several documents about a person: one row for each statement of a document that applies.
_SAID = f"""
select subject, page, 'number' as about, cast(row(identifikasjonsnummer, status) as text) as said
from freg_identifikasjonsnummer
union all
select subject, page, 'name', cast(row(fornavn, mellomnavn, etternavn) as text)
from freg_navn where erGjeldende is not false
union all
select subject, page, 'grading', cast(row(graderingsnivaa, ukjent) as text)
from freg_adressebeskyttelse where erGjeldende is not false
union all
select subject, page, 'address', cast(row('bostedsadresse', coalesce(adressegradering, 'ugradert'), bolig) as text)
from freg_bostedsadresse where erGjeldende is not false and not ({_NO_ADDRESS})
union all
select subject, page, 'address', cast(row(element, coalesce(adressegradering, 'ugradert'), bolig) as text)
from freg_annenAdresse where erGjeldende is not false
union all
select subject, page, 'ansvar', cast(row({", ".join(rows.Foreldreansvar._fields[1:9])}) as text)
from freg_foreldreansvar where erGjeldende is not false
"""
# A document without an element differs from one with it. The exceptions are an element that was not asked for (ansvar,
# in answers about guardians: ``run.extract_freg``) and one that the answer has no room for (numbers of a guardian
# joined to a pupil: ``oppvekst``).
_DISAGREE = f"""
t.subject in (
    with several as (
        select subject from freg_person group by subject having count(*) > 1
    ),
    document as (
        select distinct subject, page from freg_person where subject in (select subject from several)
    ),
    told as (
        select d.subject, d.page, w.about, string_agg(distinct s.said, ' ' order by s.said) as everything
        from document d
        cross join (values ('number'), ('name'), ('grading'), ('address'), ('ansvar')) as w (about)
        left join (
            select * from ({_SAID}) as said where subject in (select subject from several)
        ) as s on s.subject = d.subject and s.page = d.page and s.about = w.about
        group by d.subject, d.page, w.about
    )
    select subject
    from told
    where everything is not null
        or not (about = 'number' or about = 'ansvar' and (starts_with(page, '{GUARDIANS}') or {_EMPLOYEE}))
    group by subject, about
    having count(distinct coalesce(everything, '')) > 1
)
"""
# Two documents disagree about the person that a number belongs to.
_TWO_PERSONS = """
t.subject in (
    with also as (
        select subject, oppslag as number, true as asked from freg_person where oppslag <> subject
        union all
        select i.subject, i.identifikasjonsnummer, false
        from freg_identifikasjonsnummer i
        where i.identifikasjonsnummer <> i.subject
            and exists (select from freg_person p where p.subject = i.subject)
    ),
    another as (
        select a.subject, a.number from also a where exists (select from freg_person p where p.subject = a.number)
    )
    select subject from another
    union all
    select number from another
    union all
    select subject from also where number in (
        select number from also group by number having count(distinct subject) > 1 and bool_or(asked)
    )
)
"""

RULES: Rules = {
    "freg_person": (
        table("empty", filled(), _FREG, "Folkeregisteret svarte ikke for noen."),
        table("drop", kept(_ONCE), _FREG, "Folkeregisteret svarte for langt færre enn sist."),
        _MALFORMED,
        # A person who is answered for under another number must have had that number (Skatteetaten: the surviving
        # person lists the old numbers).
        row(
            "somebody_else",
            never(
                f"oppslag <> {_SUBJECT} and not exists (select from freg_identifikasjonsnummer as had "
                f"where had.{_SUBJECT} = t.{_SUBJECT} and had.identifikasjonsnummer = t.oppslag)"
            ),
            _US,
            "Folkeregisteret svarte med en annen person enn den vi spurte om.",
        ),
        row(
            "date",
            readable_dates("foedselsdato", "doedsdato"),
            _FREG,
            "Fødselsdatoen eller dødsdatoen kan ikke leses.",
        ),
        row("dates", dates_in_order("foedselsdato", "doedsdato"), _FREG, "Dødsdatoen er før fødselsdatoen."),
        row(
            "ambiguous",
            ambiguous([name for name in rows.Person._fields if name != "oppslag"]),
            _FREG,
            "Folkeregisteret svarte to ganger for samme person, og svarene er ulike.",
        ),
        row(
            "documents",
            never(_DISAGREE),
            _FREG,
            "Folkeregisteret svarte flere ganger for samme person, og svarene sier ikke det samme.",
        ),
        row(
            "two_persons",
            never(_TWO_PERSONS),
            _FREG,
            "Folkeregisteret svarte for samme nummer som om det var to personer.",
        ),
        note(
            "status",
            one_of(
                "status",
                *("bosatt", "utflyttet", "forsvunnet", "doed", "opphoert", "foedselsregistrert"),
                *("midlertidig", "inaktiv", "ikkeBosatt", "aktiv"),
            ),
            _US,
            "Folkeregisteret bruker en personstatus vi ikke kjenner.",
        ),
        note("kjoenn", one_of("kjoenn", "kvinne", "mann"), _US, "Folkeregisteret bruker et kjønn vi ikke kjenner."),
    ),
    "freg_ubesvart": (
        table(
            "share",
            never(
                f"(select count(*) from freg_ubesvart where not {_EMPLOYEE}) > greatest(10, "
                f"0.1 * ((select count(*) from freg_ubesvart where not {_EMPLOYEE}) "
                f"+ (select count(*) from freg_person where not {_EMPLOYEE})))"
            ),
            "systemansvarlig",
            "Folkeregisteret svarte ikke for over ti prosent av elevene og foresatte vi spurte om.",
        ),
        # HR corrects HR's numbers, and they stop no pupils.
        note("employees", never(_EMPLOYEE), "HR", "Folkeregisteret svarte ikke for en ansatt."),
    ),
    "freg_identifikasjonsnummer": (
        _MALFORMED,
        _UNANSWERED,
        note("status", one_of("status", "iBruk", "opphoert"), _US, "Et nummer har en status vi ikke kjenner."),
        note(
            "type",
            one_of("identifikatortype", "foedselsnummer", "dNummer"),
            _US,
            "Folkeregisteret bruker en type nummer vi ikke kjenner.",
        ),
        row(
            "other_number",
            identity_number("identifikasjonsnummer"),
            _FREG,
            "Et av personens numre har ikke elleve siffer.",
        ),
        row(
            "shared",
            never(
                "exists (select from freg_identifikasjonsnummer as other "
                "where other.identifikasjonsnummer = t.identifikasjonsnummer "
                f"and other.{_SUBJECT} <> t.{_SUBJECT})"
            ),
            _FREG,
            "To personer har hatt samme fødsels- eller d-nummer.",
        ),
    ),
    "freg_navn": (
        table("drop", kept(_ONCE), _FREG, "Folkeregisteret oppgir langt færre navn enn sist."),
        _MALFORMED,
        _UNANSWERED,
        row(
            "no_name",
            never(f"{blank('fornavn', 'etternavn')} and erGjeldende is not false"),
            _FREG,
            "Navnet har verken fornavn eller etternavn.",
        ),
        row(
            "letters",
            never(_GARBLED),
            _FREG,
            "Navnet har ødelagte bokstaver, som «PrÃ¸ve» for «Prøve»; skolesystemets navn brukes.",
            releasable=True,
        ),
        table(
            "encoding",
            seldom(_GARBLED, percent=1, few=1),
            _US,
            "Over én prosent av navnene fra Folkeregisteret har ødelagte bokstaver: svaret er lest med feil tegnsett.",
        ),
        note(
            "temporary",
            never("fornavn ~* '[*](PIKE|GUTT)$' and erGjeldende is not false"),
            _FREG,
            "Barnet har bare det midlertidige navnet nyfødte får; skolesystemets navn brukes.",
        ),
    ),
    "freg_bostedsadresse": (
        table(
            "drop",
            kept(f"not ({_NO_ADDRESS}) and {_ONCE}"),
            _FREG,
            "Folkeregisteret oppgir langt færre bostedsadresser enn sist.",
        ),
        *_address(_NO_ADDRESS),
    ),
    "freg_annenAdresse": _address(),
    "freg_adressebeskyttelse": (
        table(
            "number",
            never_any(f"{not_digits(_SUBJECT, 11)} and (graderingsnivaa <> 'ugradert' or ukjent)"),
            _FREG,
            "En adressebeskyttelse har ikke et gyldig fødsels- eller d-nummer, så vi vet ikke hvem den skjermer.",
        ),
        note(
            "grading",
            never_any("t.ukjent"),
            _US,
            "Folkeregisteret bruker en gradering vi ikke kjenner. Den regnes som strengt fortrolig.",
        ),
    ),
    "freg_foreldreansvar": (
        table("drop", kept(_ONCE), _FREG, "Folkeregisteret oppgir langt færre foreldreansvar enn sist."),
        _MALFORMED,
        _UNANSWERED,
        row("no_ansvar", present("ansvar"), _FREG, "Det står ikke hva slags foreldreansvar det er."),
        row(
            "ansvar",
            one_of("ansvar", "felles", "mor", "far", "medmor", "andre", "ukjent"),
            _US,
            "Folkeregisteret bruker et foreldreansvar vi ikke kjenner. Det gir ingen tilgang før det er avklart.",
        ),
        row("ansvarlig", identity_number("ansvarlig"), _FREG, "Nummeret til den ansvarlige har ikke elleve siffer."),
        row(
            "ansvarssubjekt",
            identity_number("ansvarssubjekt"),
            _FREG,
            "Nummeret til barnet har ikke elleve siffer.",
        ),
        row(
            "self",
            never(f"ansvarlig = coalesce(ansvarssubjekt, {_SUBJECT})"),
            _FREG,
            "Barnet står som ansvarlig for seg selv.",
        ),
        row(
            "ambiguous",
            ambiguous(["erGjeldende"]),
            _FREG,
            "Samme foreldreansvar står både som gjeldende og som ikke gjeldende.",
        ),
        note(
            "nobody",
            never(
                f"{blank('ansvarlig', 'ansvarligOrganisasjon')} and erGjeldende is not false and "
                f"{blank('ansvarligUtenIdentifikator_fornavn', 'ansvarligUtenIdentifikator_etternavn')}"
            ),
            _FREG,
            "Det står ikke hvem som har foreldreansvaret. Det gir ingen tilgang; barnet står på arbeidslisten.",
        ),
        note(
            "organisation",
            matches("ansvarligOrganisasjon", r"^\d{9}$"),
            _FREG,
            "Organisasjonsnummeret til den ansvarlige har ikke ni siffer.",
        ),
    ),
    "freg_familierelasjon": (
        _MALFORMED,
        _UNANSWERED,
        row(
            "relatertPerson",
            identity_number("relatertPerson"),
            _FREG,
            "Nummeret til den nærstående har ikke elleve siffer.",
        ),
        note(
            "role",
            one_of(
                "relatertPersonsRolle",
                *("mor", "far", "medmor", "barn", "soesken", "ektefelleEllerPartner", "doedfoedtBarn"),
            ),
            _US,
            "Folkeregisteret bruker en familierolle vi ikke kjenner.",
        ),
    ),
    "freg_resident": (_MALFORMED,),
}

COUNTED = {
    table: f"not ({_NO_ADDRESS}) and {_ONCE}" if table == "freg_bostedsadresse" else _ONCE
    for table, rules in RULES.items()
    if any(rule.name in ("empty", "drop") for rule in rules)
}
"""The rows that count in the tables that must not be empty or lose many rows: for the next run's ``drop``."""


def suites(context: Context) -> "list[ExpectationSuite]":
    """Make the suites of FREG's tables, for a run that has asked FREG."""
    return build(RULES, context)
