"""The texts that people read in Airflow and in mails: the DAGs' names, a kommune's page, and the mails.

In: facts about a run. Out: Norwegian plain text with counts and a link. It has no names, and no number that tells of
protection. ``mails`` decides when a mail is sent, and sends it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from dataflyt.config.exports import EXPORTS
from dataflyt.config.kommune import WEEKDAYS
from dataflyt.formats.dates import OSLO
from dataflyt.operations.digest import in_lines, said
from dataflyt.run.steps import TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from dataflyt.config.kommune import Kommune
    from dataflyt.operations.digest import Digest

EVENTS, FAST_LANE = "Hendelser fra Folkeregisteret", "Les hendelser og trekk tilbake"
TELL_EVENTS = "Si fra til andre DAG-er at hendelsene er lest"
TELL_METRICS = "Send måltall om kommunenes kjøringer"
"""The names of the DAG that reads FREG's events, and of its tasks."""

NIGHTLY, BRING_IN_LINE = "Dagens publisering", "Rett det som er publisert, etter dagen"
TELL_PUBLISHED = "Si fra til andre DAG-er om det som er publisert"
DELETE_OLD = "Slett det som har hatt sin tid"
MAIL_WORK_LISTS = "Send ukens e-post om arbeidslisten"
"""The names of the nightly DAG, and of its tasks."""

MORNING, TELL_ENGINEERS = "Morgenens oversikt", "Send e-post om kommunene som må ses på"
"""The names of the DAG that tells the engineers which kommuner must be looked at, and of its task."""

REFERENCE = "Skoler og koder"
"""The name of the DAG that reads NSR, Grep and Klass."""
REFERENCE_STEPS = {"nsr": "Les skolene i NSR", "grep": "Les fagkodene i Grep", "klass": "Les SSBs kommuneliste"}
"""The names of its tasks, one a register."""

OWNER = "Dataflyt"
"""The owner of the DAGs common to all kommuner. A kommune's DAG is owned by the kommune."""

DESCRIPTIONS = {
    "freg_events": "Leser hendelser fra Folkeregisteret hver time, og trekker straks tilbake det som skal bort.",
    "nightly": "Retter hver natt det kommunene har publisert, etter dagen, og sletter det som har hatt sin tid.",
    "morning": "Sender hver morgen dataingeniøren en oversikt over kommunene som må ses på.",
    "reference_data": "Henter skoler og koder fra NSR, Grep og Klass hver uke.",
}
"""A line on each of these DAGs, which Airflow shows under the name."""

PLAN_ONLY = (
    "Kjøringen stopper når planen er regnet ut. Ingenting frigis eller publiseres; planen står til neste kjøring "
    "begynner. Det som beskytter, virker likevel straks."
)
ACCEPT_SMALLER = (
    "Et svar med langt færre rader enn sist blir ellers ikke tatt imot. Velg dette når det er riktig at det er færre."
)
FULL_RELOAD = "Alt hentes på nytt og måles ikke mot forrige kjøring. En godkjenner blir alltid spurt."

MOST_LINES = 10
"""How many lines a notice has of one kind: Teams and others refuse a long message."""

ONCE = "Det samme meldes ikke igjen før det har vært borte i tre timer; morgenens oversikt har det så lenge det varer."

SIGNATURE = "-- \nDataflyt. Meldingen er sendt av seg selv og har aldri navn eller fødselsnummer i seg."


class Notice(NamedTuple):
    """A mail: one line of subject, and plain text."""

    subject: str
    body: str


def description(kommune: Kommune) -> str:
    """Return a line that describes a kommune's DAG."""
    return f"Henter, kontrollerer og publiserer skoledata for {kommune.name}, {kommune.schedule.in_words}."


def page(kommune: Kommune) -> dict[str, str]:
    """Return a kommune's values for the placeholders in dags/kommune.md, the page of its DAG."""
    guard, done_by = kommune.guard, kommune.schedule.done_by
    return {
        "name": kommune.display_name,
        "exports": ", ".join(EXPORTS[export] for export in kommune.exports),
        "schedule": kommune.schedule.in_words,
        "done_by": f" og skal være ferdig kl. {done_by.replace(':', '.')}" if done_by else "",
        "trial": (
            "**Kommunen er på prøve** (`trial: true` i kommunefilen): hver kjøring stopper når planen er regnet ut, og "
            "ingenting frigis eller publiseres.\n"
            if kommune.trial
            else ""
        ),
        "plan_only": PLAN_ONLY,
        "full_reload": FULL_RELOAD,
        "approvers": ", ".join(approver.name for approver in kommune.approvers),
        "answer_days": str(guard.answer_days),
        "max_drop": _number(guard.max_drop_percent),
        "max_children": _number(guard.max_children_losing_access_percent),
        "mail": _who_is_told(kommune),
    }


def _who_is_told(kommune: Kommune) -> str:
    mail = kommune.mail
    if mail is None:
        return "Ingen får e-post: kommunefilen sier ikke hvem (`mail`)."
    told = ["Adressene i kommunefilen (`mail`) får e-post"] if mail.to else []
    told += [f"{'tilkoblingen' if told else 'Tilkoblingen'} `{mail.apprise}` får beskjed"] if mail.apprise else []
    return (
        f"{', og '.join(told)} når noen må svare, når en kjøring stopper eller ikke blir godkjent, og når den ikke er "
        "ferdig i tide."
    )


def asked(kommune: Kommune, subject: str, question: str, link: str) -> Notice:
    """Tell that a run waits for an answer: ``question`` in Markdown, and a ``link`` to the page for answering."""
    return _notice(
        subject,
        _as_plain(question),
        f"Logg inn i Airflow og svar. Bare kommunens godkjennere kan svare, innen {kommune.guard.answer_days} døgn:"
        f"\n{link}",
    )


def ended(
    kommune: Kommune,
    outcome: str | None,
    sentence: str,
    stopped: Mapping[str, str | None],
    changes: Sequence[tuple[str, str]],
    link: str,
) -> Notice:
    """Tell that a run stopped, was rejected or was never answered.

    ``outcome`` is the report's, None when the run could not be closed; ``sentence`` is the outcome in words.
    ``stopped`` has the failed steps with the sentence of each. ``changes`` has the run's planned changes in words and
    counts.
    """
    if stopped:
        names = ", ".join(f"«{TITLES.get(step, step)}»" for step in stopped)
        steps = "\n".join(
            f"- {TITLES.get(step, step)}: {said or 'sa ikke hvorfor; det står i loggen.'}"
            for step, said in stopped.items()
        )
        then = "uten dem som er blitt beskyttet siden. Er feilen rettet, start en ny kjøring."
        if set(stopped) == {"deliver"}:
            then = "og Dataflyt prøver å levere det igjen hver time."
        return _notice(
            f"{kommune.display_name}: kjøringen stoppet i {names}",
            sentence,
            f"Her stoppet den:\n{steps}",
            f"Det som er publisert, står, {then}",
            f"Logg inn i Airflow og se loggen til steget:\n{link}",
        )
    what = "ble avvist" if outcome == "rejected" else "ble ikke besvart i tide"
    would = "\n".join(f"- {kind}: {count}" for kind, count in changes) or "- ingen endringer"
    return _notice(
        f"{kommune.display_name}: kjøringen {what}",
        sentence,
        f"Dette ville den ha endret:\n{would}",
        f"Logg inn i Airflow og se kjøringen:\n{link}",
    )


def held(kommune: Kommune, count: int, link: str) -> Notice:
    """Tell that FREG cannot be asked about some new pupils: they are held back until somebody has decided."""
    what = "én elev" if count == 1 else f"{count} elever"
    return _notice(
        f"{kommune.display_name}: {what} holdes tilbake til noen har bestemt",
        f"Folkeregisteret kan ikke spørres om {what} i skolesystemet: fødselsnummeret mangler, er midlertidig, eller "
        "er skrevet feil. Ingen kan se om de har adressebeskyttelse, og de er ikke i FEIDE.",
        "Skolen retter nummeret i skolesystemet, eller systemansvarlig bestemmer at de kan publiseres. "
        "«dataflyt worklist» sier hvem det er.",
        f"Logg inn i Airflow og se kjøringen:\n{link}",
    )


def work_list(kommune: Kommune, owner: str, counted: Mapping[str, tuple[int, int]], link: str) -> Notice:
    """Tell a corrector, by its title ``owner``, of the items of a kommune's work list: how many, and how many are new.

    ``counted`` has the kinds by their titles.
    """
    from dataflyt.run.report import spaced

    lines = "\n".join(
        f"- {title}: {spaced(count)}" + (f", {spaced(new)} nye" if new else "")
        for title, (count, new) in counted.items()
    )
    return _notice(
        f"{kommune.display_name}: arbeidslisten for {owner}",
        f"Dette må rettes. Nye er de som er kommet siden kjøringen før.\n{lines}",
        "«dataflyt worklist» viser hvem det gjelder, til dem som har rett til det.",
        f"Logg inn i Airflow:\n{link}",
    )


def events_failed(said: str | None, link: str) -> Notice:
    """Tell that FREG's events were not read, or not dealt with for everybody. ``said`` has a line for each trouble."""
    return _notice(
        f"{EVENTS}: noe må ses på",
        "Det som beskytter, skal virke innen en time. Det gjør det ikke nå, for noen eller for alle.",
        said or "Det ble ikke sagt hvorfor; det står i loggen.",
        f"Det prøves igjen hver time, og ingenting går tapt imens. {ONCE}",
        f"Logg inn i Airflow og se kjøringen:\n{link}",
    )


def nightly_failed(said: str | None, link: str) -> Notice:
    """Tell that a publication was not brought in line with the day. ``said`` has a line for each trouble."""
    return _notice(
        f"{NIGHTLY}: noe må ses på",
        "Det som er publisert, skal følge dagen: elever fyller 18 år, og vedtak om tilgang går ut. "
        "Det som har hatt sin tid, skal slettes. Noe av dette skjer ikke nå, for noen eller for alle.",
        said or "Det ble ikke sagt hvorfor; det står i loggen.",
        f"Det prøves igjen hver time sammen med «{EVENTS}», og neste natt. {ONCE}",
        f"Logg inn i Airflow og se kjøringen:\n{link}",
    )


def morning(found: Digest, link: str, going_on: Sequence[tuple[str, datetime]] = ()) -> Notice:
    """Tell the engineers which kommuner must be looked at this morning, the gravest first, each cause once.

    ``going_on`` has what the common DAGs have told of and still meet, in words, and since when. The notice is sent when
    there is nothing too: one that does not come is itself a sign.
    """
    count, of = found.to_look_at, found.kommuner
    parts = []
    if going_on:
        lines = "\n".join(f"- {words} Siden {said(since)}." for words, since in going_on)
        parts.append(f"Varer ved i de felles DAG-ene:\n{lines}")
    for title, lines_of_kind in in_lines(found):
        shown = "\n".join(f"- {line}" for line in shortened(lines_of_kind, "oversikten"))
        parts.append(f"{title}:\n{shown}")
    if found.never_run:
        parts.append(f"Har ikke kjørt ennå: {found.never_run}.")
    if not count and not going_on:
        return _notice(
            f"Dataflyt: alt er som det skal i {of} {'kommune' if of == 1 else 'kommuner'}",
            "Siste kjøring gikk som den skulle i alle kommunene, og alle har kjørt når de skulle.",
            *parts,
            f"Oversikten:\n{link}",
        )
    subject = (
        f"Dataflyt: {count} av {of} kommuner må ses på" if count else "Dataflyt: noe varer ved i de felles DAG-ene"
    )
    return _notice(subject, *parts, f"Oversikten:\n{link}")


def shortened(lines: Sequence[str], where: str) -> list[str]:
    """Return the first lines of a notice, and how many more there are and where.

    >>> shortened([str(number) for number in range(12)], "loggen")[-2:]
    ['9', 'og 2 til; se loggen']
    """
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], *([f"og {more} til; se {where}"] if more > 0 else [])]


def late(kommune: Kommune, due: datetime, states: Mapping[str, str | None], link: str) -> Notice:
    """Tell that a run is not done at its deadline, ``due``. ``states`` are its tasks' states in Airflow, if known."""
    local = due.astimezone(OSLO)
    weekday = list(WEEKDAYS.values())[local.weekday()]
    act = "svar" if "awaiting_input" in states.values() else "se kjøringen"
    return _notice(
        f"{kommune.display_name}: kjøringen er ikke ferdig i tide",
        f"Kjøringen skulle ha vært ferdig {weekday} {local.day}.{local.month}. kl. {local:%H.%M}, og er det ikke. "
        + _doing(states),
        f"Logg inn i Airflow og {act}:\n{link}",
    )


def _doing(states: Mapping[str, str | None]) -> str:
    """Return an unfinished run's activity in words."""
    by_state: dict[str | None, list[str]] = {}
    for step, name in TITLES.items():
        by_state.setdefault(states.get(step), []).append(f"«{name}»")
    if "awaiting_input" in by_state:
        return "Den venter på svar fra en godkjenner."
    if waiting := by_state.get("up_for_retry"):
        return f"Noe svarte ikke; {', '.join(waiting)} prøves på nytt av seg selv."
    if working := [*by_state.get("running", []), *by_state.get("queued", [])]:
        return f"Den er kommet til {', '.join(working)}."
    if not any(states.values()):
        return "Den har ikke begynt."
    return "Den er mellom to steg."


def _as_plain(markdown: str) -> str:
    """Return a question's Markdown as plain text: the address of a link beside its words.

    >>> _as_plain("**Se** [planen](https://a.no/plan/4).")
    'Se planen: https://a.no/plan/4.'
    """
    return re.sub(r"\[([^]]+)\]\(([^)]+)\)", r"\1: \2", markdown).replace("**", "").replace("`", "")


def _notice(subject: str, *paragraphs: str) -> Notice:
    return Notice(" ".join(subject.split()), "\n\n".join([*paragraphs, SIGNATURE]) + "\n")


def _number(value: float) -> str:
    return f"{value:g}".replace(".", ",")
