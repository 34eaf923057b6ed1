"""The record of processing activities (GDPR art. 30), from the kommune's file and the code's own lists."""

from datetime import datetime

from dataflyt.config.exports import EXPORTS
from dataflyt.config.kommune import Kommune
from dataflyt.formats.dates import OSLO
from dataflyt.records import titles
from dataflyt.records.documents import Document, Section
from dataflyt.records.fields import EXPORTED, FIELDS, KEPT_FOR, MEASURES, PURPOSES, RECIPIENTS, SOURCES
from dataflyt.warehouse.erasure import KEPT
from dataflyt.warehouse.tables import source_tables


def privacy_record(kommune: Kommune, now: datetime) -> Document:
    """Return the record of a kommune as a document. It holds nothing about anybody but those the file names."""
    return Document(
        f"Protokoll over behandling: {kommune.name} kommune",
        (
            f"Behandlingsansvarlig: {kommune.name} kommune, organisasjonsnummer {kommune.orgnr}. "
            f"Laget {now.astimezone(OSLO):%d.%m.%Y} av kommunefilen og programmets egne lister.",
            f"Rettslig grunnlag: {kommune.legal_basis.text}.",
            _freg(kommune),
        ),
        (
            Section("Formål", [f"{_sentence(purpose)}." for purpose in PURPOSES.values()]),
            Section(
                "Hvem det gjelder",
                (
                    "Elever ved kommunens skoler, voksne med foreldreansvar eller et vedtak om tilgang til en elev, "
                    "ansatte ved skolene, og foresatte skolen har lagt inn for hånd.",
                    *_besides(kommune),
                ),
            ),
            *_fields(kommune),
            *_recipients(kommune),
            Section(
                "Hvor lenge det står",
                (),
                ("Hva", "Hvor lenge"),
                [(what, how.format(days=kommune.retention.history_days)) for what, how in KEPT_FOR.items()],
            ),
            Section(
                "Hva som står når en person er slettet",
                ("Ingen av disse tabellene har navn, nummer, adresse eller kontaktopplysninger fra kildene.",),
                ("Tabell", "Hvorfor"),
                list(KEPT.items()),
            ),
            Section("Sikkerhetstiltak", MEASURES),
            Section(
                "Hvem som kan slå opp og bestemme",
                (),
                ("Navn", "Rettigheter"),
                [
                    *((one.name, ", ".join(_RIGHTS[right] for right in one.may)) for one in kommune.people),
                    *((one.name, "godkjenner kjøringer") for one in kommune.approvers),
                ],
            ),
        ),
    )


_RIGHTS = {"persons": "se personer", "graded": "se beskyttede", "decide": "bestemme"}


def _freg(kommune: Kommune) -> str:
    if kommune.legal_basis.freg == "med_hjemmel":
        return (
            "Folkeregisteret er spurt med hjemmel, også om foreldreansvar. Om elevers søsken som har sluttet og bor "
            "med eleven, spørres det om det som viser om de er beskyttet: eleven er beskyttet som dem."
        )
    return "Folkeregisteret er ikke spurt om foreldreansvar: all tilgang til barn er et vedtak."


def _besides(kommune: Kommune) -> list[str]:
    freg, found = kommune.sources.freg, []
    if freg.residents:
        found.append(
            f"Barn fra {freg.residents.from_age} til {freg.residents.to_age} år som bor i kommunen og ikke går på noen "
            "av skolene: bare navn, fødselsår, status og gradering."
        )
    if freg.employees:
        found.append("Ansatte ved skolene er også slått opp i Folkeregisteret, for å finne dem som er beskyttet.")
    if kommune.pupils_without_number == "publish" and (decided := kommune.pupils_without_number_decided):
        found.append(
            f"Elever Folkeregisteret ikke kan spørres om, publiseres: bestemt av {decided.by} {decided.on:%d.%m.%Y}."
        )
    return found


def _fields(kommune: Kommune) -> list[Section]:
    sections = []
    for source, title in SOURCES.items():
        rows = [
            (titles.table(name), titles.field(column), PURPOSES[purpose])
            for name, columns in FIELDS.items()
            if source_tables()[name].source == source and _is_read(kommune, name)
            for column, purpose in columns.items()
        ]
        sections.append(Section(f"Opplysninger fra {title}", (), ("Tabell", "Felt", "Formål"), rows))
    return sections


def _is_read(kommune: Kommune, table: str) -> bool:
    """Tell whether a kommune's file lets a table get rows; what it does not read is not in its record."""
    return {
        "freg_resident": kommune.sources.freg.residents is not None,
        "freg_foreldreansvar": kommune.legal_basis.freg == "med_hjemmel",
        "hr_protection": bool(kommune.sources.hr.protected),
        "sas_timetable": bool(kommune.sources.sas.timetable or kommune.sources.sas.calendars),
    }.get(table, True)


def _recipients(kommune: Kommune) -> list[Section]:
    sections = []
    for export in kommune.exports:
        who = kommune.receivers(export) or RECIPIENTS.get(export, ("ikke oppgitt i kommunefilen",))
        sections.append(
            Section(
                f"Utlevering: {EXPORTS[export]}",
                (
                    f"Mottakere: {'; '.join(who)}. Ingen overføring til land utenfor EØS skjer fra Dataflyt.",
                    "Strengt fortrolige og dem som holdes tilbake, er ikke med. Fortrolige har verken adresse, telefon "
                    "eller e-post.",
                ),
                ("Felt", "Hva det er"),
                list(EXPORTED.get(export, {}).items()),
            )
        )
    return sections


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
