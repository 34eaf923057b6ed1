"""Checks that every chain begins or ends with: the run that holds, rows set aside, and the published files."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from dataflyt.formats.dates import OSLO
from dataflyt.warehouse.outcomes import LINKED, NEWEST
from dataflyt.why.asking import Asked
from dataflyt.why.check import Check, Found, Rows, check, failed, passed, unknown
from dataflyt.why.correcting import OF_RULES
from dataflyt.why.texts import reason
from dataflyt.why.when import day_in_words

_STOPPED = {
    "rejected": "run_rejected",
    "unanswered": "run_unanswered",
    "failed": "run_stopped",
    "superseded": "run_stopped",
    "open": "run_under_way",
    "merged": "run_under_way",
    "undone": "run_undone",
}


def run_stands(waiting: str) -> Check:
    """Return the check whether the newest run is released; ``waiting`` reads what an unreleased run would bring.

    Its rows name in ``mends`` the checks that would pass. A run that waits for approval is the cause where it mends the
    first link that is broken (``answering``). A run that was rejected, or stopped, may hold a correction that nobody
    can see: that is a doubt, where something is wrong.
    """

    @check(newest="select run, state from control.run where owner = :owner and run = :newest", waiting=waiting)
    def run_stands(asked: Asked, rows: Rows) -> Found:
        newest = rows["newest"][0]
        if newest.run == asked.released:
            return passed(run=asked.released)
        if newest.state == "merged":
            if mends := frozenset(" ".join(row.mends for row in rows["waiting"]).split()):
                return replace(failed("waiting_for_approval", run=newest.run), mends=mends)
            return passed(run=asked.released)
        found = unknown(_STOPPED[newest.state], run=newest.run, released=asked.released)
        return Found("unknown", found.cause, found.evidence, found.said, soft=True)

    return run_stands


BEFORE: Final = (
    "select as_of from control.run where owner = :owner and state = 'released' and run < :released "
    "order by run desc limit 1"
)
"""The released run before the one that holds."""


def file_is_new(source: str) -> Check:
    """Return the check whether a source's file was delivered after the run before: a correction since is not in it."""

    def judge(asked: Asked, rows: Rows) -> Found | None:
        delivered = asked.delivered.get(source)
        if delivered is None:
            return None  # a newer run's files have taken their place
        day = day_in_words(delivered.astimezone(OSLO).date())
        if rows["before"] and delivered < rows["before"][0].as_of:
            found = unknown("file_not_new", source, asked.released, day, day=day)
            return Found("unknown", found.cause, found.evidence, found.said, note=True)
        return passed(source, asked.released, day, day=day)

    return Check("file_is_new", {"before": BEFORE}, judge)


def set_aside(asked: Asked, rows: Any, tables: tuple[str, ...] = ()) -> Found | None:
    """Return the finding for the first row in quarantine, of these tables (all, where none is named)."""
    for row in rows:
        if not tables or row.table_name in tables:
            source = row.table_name.split("_")[0]
            return Found(
                "failed",
                "row_set_aside",
                passed(source, row.run, row.rule).evidence,
                {"reason": reason(asked.language, row.reason)},
                corrector=OF_RULES.get(row.responsible, "system_owner"),
            )
    return None


def quarantine_of(person: str) -> str:
    """Return a query for the rows about a person (``:who``, ``:child`` or ``:pupil``) in the newest quarantine.

    A row of a register that the visitor may not know that the person is asked about is left out: it would tell that the
    person is a guardian here.
    """
    return f"""
select distinct h.table_name, h.rule, h.reason, h.responsible,
    (select max(c.run) from control.check_result c where c.owner = :owner) as run
from ({NEWEST}) h
where exists (select from now_person_link l where l.person_id = {person} and {LINKED}) and (
        split_part(h.table_name, '_', 1) not in ('freg', 'krr') or exists (
            select from why_may_be_asked m where m.person_id = {person}
                and m.source = split_part(h.table_name, '_', 1)
        )
    )
    or exists (
        -- A new row in quarantine is linked to nobody yet: the staged row has the number.
        select from why_staged_sas s where s.person_id = {person} and s.local_id = h.subject
            and h.table_name in ('sas_person', 'sas_membership', 'sas_guardian')
    )
    or exists (
        select from why_staged_hr s where s.person_id = {person} and s.local_id = h.subject
            and h.table_name in ('hr_employee', 'hr_employment')
    )
order by 1, 2
"""


def nothing_set_aside(person: str, *tables: str) -> Check:
    """Return the check whether rows about a person stand in quarantine: what holds is then older than the file."""

    @check(quarantine=quarantine_of(person))
    def nothing_set_aside(asked: Asked, rows: Rows) -> Found:
        return set_aside(asked, rows["quarantine"], tables) or passed()

    return nothing_set_aside


FEIDE: Final = {"feide_ldif": "feide.ldif"}
PIFU: Final = {"pifu": "pifu.xml", "pifu_1_2": "pifu-1.2.xml", "pifu_1_1": "pifu-1.1.xml"}


def in_file(name: str, files: Mapping[str, str], *people: str, where: str = "select") -> Check:
    """Return the check whether people (``:who`` …) are in a published file.

    ``files`` are exports of the same people, with their files: a kommune publishes one of them. ``where`` reads a row
    when there is something to be in the file: two who are both there may have no access.
    """
    exports = ", ".join(f"'{export}'" for export in files)
    everybody = " and ".join(
        "exists (select from control.disclosure d where d.owner = :owner and d.to_at is null "
        f"and d.file in ({exports}) and d.person_id = {person})"
        for person in people
    )

    def judge(asked: Asked, rows: Rows) -> Found | None:
        if not rows["where"]:
            return None
        if asked.kommune.trial:
            return failed("on_trial")
        ordered = [file for export, file in files.items() if export in asked.kommune.exports]
        file = next(iter(ordered or files.values()))
        if not ordered:
            return failed("file_not_ordered", file=file)
        published = rows["published"]
        if not published or published[0].run < asked.released:
            return failed("not_published", run=asked.released)
        if not published[0].there:
            return failed("not_in_published_file", run=published[0].run, file=file)
        return passed(run=published[0].run, value=day_in_words(asked.run_day(published[0].run)))

    query = (
        f"select p.run, ({everybody}) as there from control.publication p "
        "where p.owner = :owner and p.withdrawn_at is null order by p.published_at desc limit 1"
    )
    return Check(name, {"published": query, "where": where}, judge)


def delivered(files: Mapping[str, str], *, where: str = "select") -> Check:
    """Return the check whether the recipients in the kommune file have got a published file, as ``in_file`` has it.

    It reads what the run's report has, where nothing stands of a delivery between two runs: that there was something to
    deliver can tell that somebody has been hidden.
    """

    def judge(asked: Asked, rows: Rows) -> Found | None:
        wanted = [(export, one.to) for export in files for one in asked.kommune.delivery.get(export, ())]
        if not wanted or not rows["where"] or asked.kommune.trial:
            return None
        noted = orjson.loads(rows["run"][0].report or "{}").get("delivered", [])
        fates = {(one["export"], one["to"]): one["fate"] for one in noted}
        let = {(row.export, row.recipient) for row in rows["let"]}
        if waiting := [to for export, to in wanted if (export, to) not in let]:
            return failed("delivery_waits", run=asked.released, to=", ".join(waiting))
        if without := [to for export, to in wanted if fates.get((export, to)) not in ("delivered", "same")]:
            return failed("not_delivered", run=asked.released, to=", ".join(without))
        return passed(run=asked.released, to=", ".join(to for _, to in wanted))

    run = "select report from control.run where owner = :owner and run = :released"
    let = "select export, recipient from control.delivery where owner = :owner"
    return Check("file_delivered", {"run": run, "let": let, "where": where}, judge)
