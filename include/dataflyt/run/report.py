"""A run's report: counts of the rows received, the fate of every row, the changes and the publication.

The steps keep notes in the run's row; ``close_run`` writes the report to the storage. No number here tells how many
are protected.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, text

from dataflyt.accounts import day_one
from dataflyt.config.exports import EXPORTS
from dataflyt.config.kommune import Kommune
from dataflyt.errors import WarehouseError
from dataflyt.warehouse import runs, staging
from dataflyt.warehouse.merge import CleanRows
from dataflyt.warehouse.outcomes import HINTS
from dataflyt.warehouse.runs import Run
from dataflyt.warehouse.tables import source_tables

_CHANGES_UNSEEN = HINTS | {"freg_resident"}
"""Tables whose counts of opened and closed rows hint at it."""

UNASKED = frozenset(
    f"pupil_{number}_number"
    for number in ("without", "with_miswritten", "with_provisional", "with_duf", "with_encrypted")
)
"""Kinds of the work list: pupils about whom FREG cannot be asked. They are held back, protected or not."""

KINDS = {
    "guardian_gains_access": "Foresatte som får tilgang til et barn",
    "guardian_loses_access": "Foresatte som mister tilgang til et barn",
    "pupil_starts": "Elever som begynner",
    "pupil_leaves": "Elever som slutter",
    "pupil_changes_school": "Elever som bytter skole",
    "pupil_published": "Elever uten fødselsnummer som publiseres, fordi det er bestemt",
    "employee_starts": "Ansatte som begynner",
    "employee_leaves": "Ansatte som slutter",
    "name_changes": "Navn som endres",
    "number_changes": "Fødselsnummer som endres",
    "persons_join": "Personer som blir én",
    "person_splits": "Personer som blir flere",
    "identity_block": "Sperringer som følger med når personer blir én eller flere",
    "identity_access": "Tilganger som kommer eller går når personer blir én eller flere",
    "contact_changes": "Foresatte med ny eller endret kontaktinformasjon",
    "group_appears": "Nye grupper",
    "group_vanishes": "Grupper som forsvinner",
    "group_loses_resources": "Faggrupper som ikke lenger gir digitale læremidler",
    "membership_changes": "Endringer i hvem som er i gruppene",
    "account_created": "FEIDE-kontoer som opprettes",
    "account_disabled": "FEIDE-kontoer som sperres",
    "account_renamed": "FEIDE-kontoer med nytt brukernavn",
    "sas_guardian_without_basis": "Foresatte lagt inn for hånd uten grunnlag",
    "sas_guardian_missing": "Foresatte med rett som mangler i skolesystemet",
    "leaves_exports": "Elever og ansatte som går ut av eksportene",
    "block_again": "Sperringer som var hevet, og gjelder igjen",
}
"""Each kind of change, in an operator's words. Kinds about protection are not here: they are never counted."""

GRADED_KINDS = {
    "protection_raised": "Adressebeskyttelse som heves",
    "protection_lowered": "Adressebeskyttelse som senkes",
    "identity_protection": "Beskyttede personer som blir én eller flere",
}
"""The kinds about protection, in the words read by those who may see protection."""

DOUBTS = {
    "access": "Uventet mange barn ville mistet en foresatt: kommunen kan ha mistet retten til foreldreansvar. Er det "
    "riktig, hev grensen max_children_losing_access_percent i kommunefilen, og start en kjøring.",
    "deaths": "Uventet mange er meldt døde. Er det riktig, hev grensen max_children_losing_access_percent i "
    "kommunefilen, og start en kjøring.",
    "unknown_grading": "Uventet mange har en gradering Dataflyt ikke kjenner. Er ordet riktig, må Dataflyt oppdateres; "
    "grensen er max_unknown_grading_percent i kommunefilen.",
    "local_ids": "Uventet mange av skolesystemets eller HR-systemets egne id-er hører nå til andre personer. Er det "
    "riktig (et nytt system, for eksempel), start en kjøring med full innlasting; da blir en godkjenner spurt.",
    "ungraded": "Ingen har lenger adressebeskyttelse: kommunen kan ha mistet retten til den. Er det riktig, start en "
    "kjøring med full innlasting; da blir en godkjenner spurt.",
}
"""Each doubt about an extract in words, for those who may see protection."""

OUTCOMES = {
    "released": "Kjøringen er frigitt.",
    "not_published": "Kjøringen er frigitt, men ikke publisert. Det som er publisert fra før, står.",
    "planned": "Kjøringen er bare en plan. Ingenting er endret, bortsett fra det som beskytter: det gjelder straks.",
    "rejected": "Kjøringen ble avvist. Ingenting er endret, bortsett fra det som beskytter: det gjelder straks.",
    "unanswered": "Ingen svarte i tide. Ingenting er endret, bortsett fra det som beskytter: det gjelder straks.",
    "failed": "Kjøringen stoppet. Ingenting er endret, bortsett fra det som beskytter: det gjelder straks.",
    "superseded": "En nyere kjøring har tatt over.",
    "undone": "Kjøringen ble frigitt, og er siden angret av to personer. Kjøringen før gjelder.",
}
"""How a run ended, in a sentence for the operator."""

NOT_CLOSED = "Kjøringen er ikke gjort opp. Neste kjøring begynner med å angre den."
"""The same for a run whose last task left no outcome."""

STATES = {
    "open": "ikke ferdig flettet",
    "merged": "flettet, ikke frigitt",
    "released": "frigitt",
    "rejected": "avvist og angret",
    "unanswered": "ikke besvart og angret",
    "failed": "stoppet og angret",
    "superseded": "erstattet av en nyere",
    "undone": "frigitt, og siden angret",
}
"""Each state of a run in the warehouse, in the words that an operator reads."""


def reason(word: str) -> str:
    """Return a reason of the guard's in words for an approver."""
    if word == "first_run":
        return "Dette er kommunens første kjøring; den må alltid godkjennes."
    if word == "full_reload":
        return "Dette er en full innlasting, som ikke er målt mot forrige kjøring; den må alltid godkjennes."
    if word == "realm":
        return "FEIDE-domenet i kommunefilen er nytt: alle får nytt FEIDE-navn, med det nye domenet etter @."
    if word == "limit:published":
        return "Det som publiseres, ville blitt mye mindre enn det er i dag."
    if word.startswith("limit:"):
        return f"«{KINDS.get(word[6:], word[6:])}» er over grensen kommunen har satt."
    return "Planen har endringer som alltid skal ses på av et menneske."


def changes(changed: Mapping[str, int], inferred_losses: int) -> list[tuple[str, str]]:
    """Return counts per kind of change in words, and how many losses of access are inferred from absence.

    >>> changes({"guardian_loses_access": 3}, 2)
    [('Foresatte som mister tilgang til et barn', '3 (2 fordi barnet eller den foresatte ikke lenger er i uttrekket)')]
    """
    said = {kind: spaced(count) for kind, count in changed.items()}
    if inferred_losses and "guardian_loses_access" in said:
        absent = f" ({spaced(inferred_losses)} fordi barnet eller den foresatte ikke lenger er i uttrekket)"
        said["guardian_loses_access"] += absent
    return [(title(kind), count) for kind, count in said.items()]


def title(kind: str) -> str:
    """Return a kind of change in an operator's words."""
    return (KINDS | GRADED_KINDS).get(kind, kind)


def limited(count: str, limit: Mapping[str, float | None]) -> str:
    """Return a count in words beside its limit: ``of`` (the base, rounded), ``percent`` and ``count``.

    >>> limited("12", {"of": 740, "percent": 5, "count": 20}), limited("12", {"of": 0, "percent": None, "count": 1})
    ('12 av om lag 740, grensen er 5\u202f% eller 20', '12, grensen er 1')
    """
    of, percent, most = limit["of"], limit["percent"], limit["count"]
    bounds = [f"{percent:g}\N{NARROW NO-BREAK SPACE}%".replace(".", ",")] if percent is not None else []
    bounds += [spaced(int(most))] if most is not None else []
    if not bounds:
        return count
    share = ""
    if percent is not None:
        share = f" av om lag {spaced(int(of or 0))}" if of else " av 0"
    return f"{count}{share}, grensen er {' eller '.join(bounds)}"


def spaced(count: int) -> str:
    """Write a number with thin spaces between the thousands.

    >>> spaced(3696)
    '3\u202f696'
    """
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def without_protection_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts without the tables whose counts tell about protection."""
    return {name: count for name, count in counts.items() if name not in HINTS}


def note(connection: Connection, run: Run, key: str, value: object) -> None:
    """Keep a fact about a run until its report is written. Facts are sorted by key, not by time.

    The caller must hold the kommune's lock.
    """
    known = dict(sorted((notes(connection, run) | {key: value}).items()))
    connection.execute(
        text("update control.run set report = :report where owner = :owner and run = :run"),
        {"owner": run.owner, "run": run.number, "report": orjson.dumps(known).decode()},
    )


def notes(connection: Connection, run: Run) -> dict[str, Any]:
    """Return the notes about a run."""
    found = connection.scalar(
        text("select report from control.run where owner = :owner and run = :run"),
        {"owner": run.owner, "run": run.number},
    )
    known: dict[str, Any] = orjson.loads(found) if found else {}
    return known


def staged_before(connection: Connection, owner: str, number: int) -> dict[str, int]:
    """Return the rows per table that the last released run before this one received; empty when there is none.

    Rows about employees (``beside``) are not counted: whether FREG is asked about them is the kommune's choice. FREG's
    tables are counted as its checks count them: each person once, and only persons who have an address.
    """
    released = runs.released_before(connection, owner, number)
    if not released:
        return {}
    noted = notes(connection, runs.get(connection, owner, released))
    beside = noted.get("beside", {})
    received = {table: counts["received"] for table, counts in noted.get("rows", {}).items()}
    received |= noted.get("counted", {})
    return {table: count - beside.get(table, 0) for table, count in received.items()}


def pupils_before(connection: Connection, owner: str, number: int) -> dict[str, int]:
    """Return the pupils of each school in the last released run before this one; empty when there is none."""
    released = runs.released_before(connection, owner, number)
    known: dict[str, int] = (
        notes(connection, runs.get(connection, owner, released)).get("pupils", {}) if released else {}
    )
    return known


def quarantined(connection: Connection, owner: str, number: int) -> dict[str, int]:
    """Return the rows per table that are in quarantine in a run."""
    found = connection.execute(
        text(
            "select table_name, count(distinct row_id) from control.quarantine "
            "where owner = :owner and run = :run group by table_name"
        ),
        {"owner": owner, "run": number},
    )
    return {table: count for table, count in found}


def account(clean: CleanRows) -> dict[str, dict[str, int]]:
    """Count the fates of the staged rows, each fate by a query of its own, and make sure that the counts add up.

    received = staged + quarantined + held_over (its subject has another row in quarantine) + duplicates. Raises
    WarehouseError when a row is lost.
    """

    def count(rows: str) -> int:
        return clean.connection.scalar(text(f"select count(*) from {rows} as counted")) or 0

    rows = {}
    in_quarantine = quarantined(clean.connection, clean.owner, clean.run)
    for table, received in staging.counts(clean.connection, clean.owner, clean.run).items():
        unheld = clean.unheld[table]
        staged = count(f"(select from {unheld} s group by key)")
        counted = {
            "received": received,
            "quarantined": in_quarantine.get(table, 0),
            "held_over": count(clean.held[table]),
            "duplicates": count(unheld) - staged,
            "staged": staged,
        }
        if received != sum(count for name, count in counted.items() if name != "received"):
            raise WarehouseError(f"Radene i {table} går ikke opp: noe er mistet på veien. Si fra til en dataingeniør.")
        rows[table] = counted
    return rows


def build(connection: Connection, kommune: Kommune, run: Run, failed: Sequence[str]) -> dict[str, Any]:
    """Put a closed run's report together: plain data for JSON, keys in English, ``sentences`` in Norwegian."""
    known = notes(connection, run)
    state = runs.get(connection, run.owner, run.number).state
    rows = known["rows"] if "rows" in known else _rows_before_merge(connection, run)
    tables = [{"table": table, **rows[table]} for table in source_tables() if table in rows and table not in HINTS]
    totals = {
        name: sum(table[name] for table in tables)
        for name in ("received", "staged", "quarantined", "held_over", "duplicates")
    }
    stands = state in ("released", "undone")
    outcome = "failed" if failed and not stands else "planned" if state == "merged" else state
    if outcome == "released" and "publish" in failed:
        outcome = "not_published"
    files = {
        page: {"source": source, **facts}
        for source in ("sas", "hr")
        for page, facts in known.get(f"files_{source}", {}).items()
    }
    return {
        "owner": run.owner,
        "name": kommune.display_name,
        "run": run.number,
        "as_of": run.as_of.isoformat(),
        "outcome": outcome,
        "failed": list(failed),
        "files": [files[page] for page in sorted(files)],
        "tables": tables,
        "totals": totals,
        "quarantine": reasons(connection, run),
        "noted": known.get("noted", []) + known.get("reference", []),
        "unknown_fields": known.get("unknown_fields", []),
        "merged": known.get("merged", {}),
        "changed": known.get("changed", {}),
        "inferred_losses": known.get("inferred_losses", 0),
        "directory": known.get("directory", {}),
        "published": known.get("published", []),
        "delivered": known.get("delivered", []),
        "envelopes": known.get("envelopes", {}),
        "sentences": _sentences(known, outcome, failed, files),
    }


def finally_said(step: str, sentence: str) -> str:
    """Return the sentence of a step that has failed for good: it promises no other try, unless the step has one.

    >>> finally_said("extract_krr", "KRR svarte ikke: Dataflyt prøver igjen.")
    'KRR svarte ikke: start en ny kjøring når det er over.'
    >>> finally_said("deliver", "Stedet svarer ikke. Dataflyt prøver igjen.")
    'Stedet svarer ikke. Dataflyt prøver igjen.'
    """
    if step == "deliver":  # every hour
        return sentence
    begun = {":": "start", ".": "Start"}
    return re.sub(
        "([:.]) Dataflyt prøver igjen( senere)?",
        lambda found: f"{found[1]} {begun[found[1]]} en ny kjøring når det er over",
        sentence,
    )


def figures(built: Mapping[str, Any], why: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the few figures of a report that the pages of all kommuner and of one show.

    ``sources`` has the rows of each source by their fate, ``delivered`` the time of the oldest of a source's files.
    ``why`` has the sentences of the steps that failed, which their logs and the mails have too.
    """
    sources: dict[str, dict[str, int]] = {}
    for table in built["tables"]:
        of = sources.setdefault(table["table"].partition("_")[0], dict.fromkeys(built["totals"], 0))
        for fate in of:
            of[fate] += table[fate]
    delivered: dict[str, str] = {}
    for file in built["files"]:
        if file.get("delivered"):
            delivered[file["source"]] = min(file["delivered"], delivered.get(file["source"], file["delivered"]))
    return {
        "sources": sources,
        "delivered": delivered,
        "published": len(built["published"]),
        "changes": sum(built["changed"].values()),
        "why": {step: finally_said(step, said) for step, said in why.items() if said},
        **{kept: built[kept] for kept in ("failed", "totals", "envelopes")},
    }


def _rows_before_merge(connection: Connection, run: Run) -> dict[str, dict[str, int]]:
    """Count the rows of a run that was never merged: they are staged, or in quarantine."""
    in_quarantine = quarantined(connection, run.owner, run.number)
    return {
        table: {
            "received": count,
            "quarantined": in_quarantine.get(table, 0),
            "held_over": 0,
            "duplicates": 0,
            "staged": count - in_quarantine.get(table, 0),
        }
        for table, count in staging.counts(connection, run.owner, run.number).items()
    }


def _sentences(
    known: Mapping[str, Any], outcome: str, failed: Sequence[str], files: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return an operator's sentences about the run: the outcome first, then its reasons and its changes."""
    sentences = [OUTCOMES.get(outcome, outcome)]
    if failed:
        sentences.append(f"Steg som feilet: {', '.join(failed)}.")
    sentences += [f"{_file(page)}: filen er den samme som sist." for page, file in files.items() if file["same"]]
    sentences += [f"{b['reason']} Ansvarlig: {b['responsible']}." for b in known.get("stopped_by", [])]
    if outcome == "released":
        changed = known.get("changed", {})
        summary = "; ".join(f"{what}: {count}" for what, count in changes(changed, known.get("inferred_losses", 0)))
        if any(changed.values()):
            sentences.append(f"Endret: {summary}.")
        elif not known.get("much_smaller"):
            sentences.append("Ingenting er endret.")
    if known.get("much_smaller"):
        sentences.append("Det som er publisert, er blitt mye mindre enn det var før kjøringen: se til at det stemmer.")
    if known.get("krr_unanswered"):
        sentences.append(
            f"KRR svarte ikke for {known['krr_unanswered']} av dem vi spurte om: det som var kjent fra før, gjelder."
        )
    sentences += _deliveries(known.get("delivered", []))
    directory = known.get("directory", {})
    if outcome == "planned" and directory:
        compared = "; ".join(f"{what}: {count}" for what, count in day_one.said(directory, day_one.COMPARED_KINDS))
        sentences.append(f"Mot den importerte katalogen: {compared}.")
    return sentences


def _deliveries(told: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the sentences about deliveries: what is with its recipients, and what is not."""
    fates: dict[str, list[str]] = {}
    for one in told:
        what = one.get("why") or f"{EXPORTS.get(one['export'], one['export'])} til {one['to']}"
        fates.setdefault(one["fate"], []).append(what)
    sentences = [
        f"{said}: {', '.join(fates[fate])}."
        for fate, said in (
            ("delivered", "Levert"),
            ("same", "Levert fra før, og uendret"),
            ("waits", "Venter på neste kjøring som publiserer"),
            ("taken_away", "Tatt bort hos mottakeren"),
            ("left", "Følger ikke lenger det som publiseres, og er ikke tømt"),
        )
        if fate in fates
    ]
    return sentences + [f"Ikke levert: {why}" for why in fates.get("failed", [])]


def _file(page: str) -> str:
    kind = page.partition("-")[0]
    return {"hr": "Lønns- og personalsystemet", "timetable": "Timeplanen"}.get(kind, "Skolesystemet")


def history_without_protection_counts(merged: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
    """Return rows opened and closed per table of a source, without tables whose counts tell about protection.

    The golden record's tables are not here: its accounts minus those in the plan would be the protected ones.
    """
    return {
        table: {"opened": opened, "closed": closed}
        for table, (opened, closed) in merged.items()
        if table not in _CHANGES_UNSEEN
    }


def reasons(connection: Connection, run: Run) -> list[dict[str, Any]]:
    """Return why rows are in quarantine in a run: table_name, rule, reason, responsible, and how many rows.

    Tables whose counts hint at how many are protected are left out.
    """
    found = connection.execute(
        text(
            "select table_name, rule, reason, responsible, count(*) as rows from control.quarantine "
            "where owner = :owner and run = :run and not (table_name = any(:unseen)) "
            "group by 1, 2, 3, 4 order by 1, 2, 3, 4"
        ),
        {"owner": run.owner, "run": run.number, "unseen": sorted(HINTS)},
    )
    return [dict(row) for row in found.mappings()]
