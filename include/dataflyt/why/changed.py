"""Why an adult's access to a child changed, and when: the line of runs, what FREG said, and what people decided."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from dataflyt.why import access, flow
from dataflyt.why.asking import Asked
from dataflyt.why.check import Check, Evidence, Found, Rows, check
from dataflyt.why.guardians import visible
from dataflyt.why.when import day_in_words

_SAID = """
select a.person_id as adult, f.ansvar, f.gyldighetstidspunkt as valid, f.from_run, f.to_run, f.erGjeldende as holds
from now_person_link c
join history.freg_foreldreansvar f on f.owner = :owner and f.subject = c.value and f.from_run <= :released
left join now_person_link a on a.scheme = 'number' and a.value = f.ansvarlig
where c.scheme = 'number' and c.person_id = :child
    and (f.ansvarssubjekt is null or f.ansvarssubjekt = f.foedselsEllerDNummer)
order by f.from_run, f.ansvar
"""


@check(
    versions=(
        "select from_run, to_run, basis, ansvar, state from golden.guardian_access where owner = :owner "
        "and child_id = :child and adult = :adult and from_run <= :released order by from_run"
    ),
    register=_SAID,
    vetoes=(
        "select kind, run, cast(learned_at at time zone 'Europe/Oslo' as date) as day from control.veto "
        "where owner = :owner and person_id = :child and adult = :adult order by veto"
    ),
    blocks=(
        "select cast(decided_at at time zone 'Europe/Oslo' as date) as day, "
        "cast(lifted_at at time zone 'Europe/Oslo' as date) as lifted from control.access_block "
        "where owner = :owner and child_id = :child and adult = :adult order by decided_at"
    ),
    grants=(
        "select basis, from_run, cast(withdrawn_at at time zone 'Europe/Oslo' as date) as ended "
        "from control.access_grant where owner = :owner and child_id = :child and adult = :adult order by from_run"
    ),
)
def timeline(asked: Asked, rows: Rows) -> list[Found]:
    """List everything that has happened between the two, the oldest first; each line is true in itself."""
    lines: list[tuple[tuple[int, int], Found]] = []
    changed = {row.from_run for row in rows["versions"]} | {row.to_run for row in rows["versions"]}
    for row in rows["versions"]:
        basis = asked.word_for("bases", row.basis)
        basis += f" {asked.word_for('ansvar', row.ansvar)}" if row.ansvar else ""
        key = "active" if row.state == "active" else "not_active"
        said = {"basis": basis, "state": asked.word_for("states", row.state)}
        source = "freg" if row.basis == "foreldreansvar" else "people"
        lines.append(_line(asked, key, source, row, said, 0))
    # What FREG said at the runs in which the pair changed.
    seen = visible(asked, [row.adult for row in rows["register"] if row.adult])
    told = set()
    for row in rows["register"]:
        if (row.adult is not None and row.adult not in seen) or row.from_run not in changed or row.holds is False:
            continue
        valid = _valid(row.valid)
        words = {
            "ansvar": asked.word_for("ansvar", row.ansvar) if row.ansvar in asked.words("ansvar") else row.ansvar,
            "valid": asked.word_for("words", "valid_from", day=valid) if valid else "",
        }
        one = (row.ansvar, valid, row.from_run, row.to_run)
        if one not in told:
            told.add(one)
            lines.append(_line(asked, "register", "freg", row, words, 1))
    for row in rows["vetoes"]:
        if row.kind in ("access_ended", "access_suspended"):
            key = "ended_at_once" if row.kind == "access_ended" else "suspended_at_once"
            if key == "suspended_at_once" and not asked.graded:
                continue  # one that has been lifted: the child is hidden until then
            lines.append(_event(asked, key, "freg", row.run, {"day": day_in_words(row.day)}, 2))
    for row in rows["blocks"]:
        lines.append(_event(asked, "blocked", "people", _run_of(asked, row.day), {"day": day_in_words(row.day)}, 3))
        if row.lifted:
            said = {"day": day_in_words(row.lifted)}
            lines.append(_event(asked, "unblocked", "people", _run_of(asked, row.lifted), said, 3))
    for row in rows["grants"]:
        said = {"basis": asked.word_for("bases", f"grant:{row.basis}"), "day": day_in_words(row.ended)}
        if row.ended:
            lines.append(_event(asked, "grant_ended", "people", _run_of(asked, row.ended), said, 3))
    if not lines:
        return [Found("passed", "", Evidence(), {}, text=("timeline", "nothing"))]
    return [found for _, found in sorted(lines, key=lambda line: line[0])]


def _valid(moment: str | None) -> str:
    """Return the day of FREG's ``gyldighetstidspunkt`` as numbers; as it is written where it is no day."""
    try:
        return day_in_words(date.fromisoformat(str(moment or "")[:10]))
    except ValueError:
        return str(moment or "")[:10]


def _line(
    asked: Asked, key: str, source: str, row: Any, said: Mapping[str, object], order: int
) -> tuple[tuple[int, int], Found]:
    """Return a line about a version that holds from a run, and perhaps to one."""
    ended = row.to_run is not None and row.to_run <= asked.released
    said = dict(said) | {
        "run": row.from_run,
        "to_run": row.to_run,
        "from_day": day_in_words(asked.run_day(row.from_run)),
        "to_day": day_in_words(asked.run_day(row.to_run)),
    }
    text = ("timeline", f"{key}_until" if ended else key)
    return (row.from_run, order), Found("passed", "", Evidence(source, row.from_run, None, ""), said, text=text)


def _event(
    asked: Asked, key: str, source: str, run: int, said: Mapping[str, object], order: int
) -> tuple[tuple[int, int], Found]:
    found = Found("passed", "", Evidence(source, run, None, ""), dict(said) | {"run": run}, text=("timeline", key))
    return (run, order), found


def _run_of(asked: Asked, day: Any) -> int:
    """Return the newest released run up to a day."""
    return max((run for run, at in asked.here.days.items() if at <= day), default=0)


def chain() -> list[Check]:
    """Return the line of what happened, then the links that hold or do not hold now."""
    return [flow.run_stands(access.WAITING), access.PUPIL[0], timeline, *access.PUPIL[1:], *access.GUARDIAN]
