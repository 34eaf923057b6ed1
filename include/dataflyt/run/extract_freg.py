"""The step ``extract_freg``: ask Folkeregisteret about pupils, their adults and siblings, and two optional groups.

Each phase asks, lands and stages before the next begins: the next phase reads from staging whom to ask about.
"""

from collections.abc import Sequence

from sqlalchemy import text

from dataflyt.config.kommune import Residents
from dataflyt.errors import CheckFailed
from dataflyt.run.freg_parts import EMPLOYEE_PARTS, RESIDENT_PARTS, SIBLING_PARTS, freg_parts
from dataflyt.run.job import Job, is_released
from dataflyt.run.landed import stage
from dataflyt.run.whom_to_ask import ANSWERED, GRANTED, GUARDIANS, PUPILS, RESPONSIBLE, numbers, route, siblings
from dataflyt.sources import freg
from dataflyt.sources.freg import client
from dataflyt.warehouse import events, golden, rules, staging


def extract_freg(job: Job) -> dict[str, int]:
    """Ask FREG about the pupils in the school system's file, those responsible for them, and adults with a grant.

    An adult whose document came with a pupil's answer is not asked about again. Where the kommune's file says so, FREG
    is also asked about children who live in the kommune and are not its pupils, and about the employees at its schools.
    It is asked about pupils' siblings who have left school: a pupil is protected as a sibling in the same home is.
    Raises CheckFailed when the school system's file is not staged in this run.
    """
    if is_released(job, extracts=True):
        return {}
    with job.transaction(lock=False) as warehouse:
        if not staging.counts(warehouse, job.owner, job.run.number, "sas"):
            raise CheckFailed("Folkeregisteret blir ikke spurt, for skolesystemets fil er ikke lest i denne kjøringen.")
    source = job.kommune.sources.freg
    route(job, PUPILS)
    _ask(job, freg.PUPILS, numbers(job, PUPILS), freg_parts(job.kommune))
    stage(job, "freg", phase=freg.PUPILS, extracts=True)
    route(job, RESPONSIBLE, GRANTED)
    _ask(job, freg.GUARDIANS, numbers(job, GUARDIANS), freg_parts(job.kommune, pupils=False))
    counts = stage(job, "freg", phase=freg.GUARDIANS, anew=False, extracts=True)
    if source.residents:
        counts = _ask_residents(job, source.residents)
    # They are known by foreldreansvar, also by that of runs from before the kommune lost its right to it.
    if job.kommune.legal_basis.freg == "med_hjemmel" and (wanted := siblings(job)):
        _ask(job, freg.SIBLINGS, wanted, SIBLING_PARTS)
        counts = stage(job, "freg", phase=freg.SIBLINGS, anew=False, extracts=True)
    if source.employees:
        counts = _ask_employees(job)
    return counts


def _ask(job: Job, phase: str, wanted: Sequence[str], parts: Sequence[str]) -> None:
    """Land FREG's answers about these numbers, as pages of the phase."""
    client.extract(
        job.kommune.sources.freg, job.environment, job.landing("freg"), numbers=wanted, parts=parts, phase=phase
    )


def _ask_residents(job: Job, wanted: Residents) -> dict[str, int]:
    """Ask FREG about children of these ages who live in the kommune, unless it has answered about them in this run."""
    source, landing = job.kommune.sources.freg, job.landing("freg_residents")
    year, answered = job.golden_inputs.today.year, set(numbers(job, ANSWERED))
    born = (year - wanted.to_age, year - wanted.from_age)
    residents: list[str] = []
    for number in job.kommune.kommunenummer:
        residents += client.residents(source, job.environment, landing, kommunenummer=number, born=born)
    unanswered = [number for number in residents if number not in answered]
    _ask(job, freg.RESIDENTS, unanswered, RESIDENT_PARTS)
    return stage(job, "freg", phase=freg.RESIDENTS, anew=False, extracts=True)


def _ask_employees(job: Job) -> dict[str, int]:
    """Ask FREG about those who hold a position at a school on the run's day, unless it has answered in this run."""
    _ask(job, freg.EMPLOYEES, _employees(job), EMPLOYEE_PARTS)
    return stage(job, "freg", phase=freg.EMPLOYEES, anew=False, extracts=True)


def _employees(job: Job) -> list[str]:
    """Return the numbers of those employees, and route FREG's events about all employees to the kommune.

    The golden record's own rule (golden/position_held.sql) picks them from this run's staged rows. When the HR system
    has not answered, the HR file of the last released run is used: a protection raised since then must not wait for a
    file.
    """
    owner = job.owner
    with job.transaction(lock=False) as warehouse:
        hr_is_staged = staging.intact(warehouse, owner, job.run.number, "hr")
        golden.views_of_staging(warehouse, owner, ["sas", "hr"] if hr_is_staged else ["sas"])
        for table, select in {
            "new_unit": rules.sql("golden/unit"),
            "new_hr_identity": "select employee_id, number as person_id from hr_employee",
            "new_override": _SCHOOL_UNITS,
            "at_school": f"select distinct person_id as number from ({rules.sql('golden/position_held')}) as held",
        }.items():
            warehouse.execute(text(f"drop table if exists pg_temp.{table} cascade"))
            warehouse.execute(
                text(f"create temporary table {table} on commit drop as {select}"), job.golden_inputs.bound()
            )
        wanted = "select number from at_school where number ~ '^[0-9]{11}$'"
        events.route_numbers(warehouse, owner, wanted)
        found = text(f"{wanted} except ({ANSWERED.format(owner=owner)}) order by 1")
        return list(warehouse.execute(found).scalars())


_SCHOOL_UNITS = """
select l.value as person_id, o.field, o.value
from control.override o
join golden.person_link l
    on l.owner = :owner and l.to_run is null and l.scheme = 'number' and l.person_id = o.person_id
where o.owner = :owner and o.field = 'school_unit' and o.from_run <= :run and o.ended_at is null
"""
"""The employees whose school people have overridden, by number."""
