"""The exports of a kommune of Oslo's size: each one written, beside the rows it reads and the bytes it writes.

    python benchmarks/exports.py 70000 20000

70 000 pupils, 20 000 employees and 118 000 guardians are put into a golden record, with 12 groups each. Each export is
written by a process of its own, so that its memory can be told. In the same process the same rows are read from
PostgreSQL by the bare driver, and the same bytes are written: an export is compared with the sum of the two.

Times are CPU of the process and of its PostgreSQL backend: on a machine that does other work they hold when the clock
does not. To make the views of what may be shown is not in them; every export of a publication reads the same views.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from measuring import KOMMUNER, Figure, peak, postgres
from sqlalchemy import Connection, create_engine, text

from dataflyt.config.loading import find
from dataflyt.exports import reading
from dataflyt.exports.registry import EXPORTS
from dataflyt.storage import database
from dataflyt.warehouse import shown, vetoed_views

NAMES = ("feide_ldif", "pifu", "oneroster")
SECONDS, MEBIBYTES, TIMES = 20.0, 200.0, 3.0
"""The aims: each export's time, the directory's memory, and how many times reading and writing alone."""
_ROSTER = (reading.PEOPLE, reading.GROUPS, reading.SCHOOL_MEMBERSHIPS, reading.GROUP_MEMBERSHIPS)
_READS = {
    "feide_ldif": (reading.ACCOUNT_HOLDERS,),
    "pifu": _ROSTER,
    "oneroster": _ROSTER,
}


def measure(pupils: int = 70_000, employees: int = 20_000) -> list[Figure]:
    """Make the kommune, write every export in a process of its own, and return the figures."""
    with tempfile.TemporaryDirectory(prefix="dataflyt-bench-") as made, postgres(Path(made), ["oslo"]) as urls:
        url = urls["kommune_oslo"]
        with create_engine(url).begin() as connection:
            _fill(connection, pupils, employees)
        with create_engine(urls["dataflyt"], isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("vacuum analyze"))  # as autovacuum does
        found = []
        for name in NAMES:
            command = [sys.executable, __file__, "--one", name, "--url", url, "--folder", made]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            found += _figures(name, told)
        return found


def _figures(name: str, told: dict[str, float]) -> Iterator[Figure]:
    title = EXPORTS[name].title
    size = f"{told['bytes'] / 1e6:.0f} MB, {told['people']:.0f} people, {told['memberships']:.0f} memberships"
    took, times = told["cpu"], told["cpu"] / told["bare"]
    yield Figure(f"{title}: {size}", f"{took:.1f} s", f"<= {SECONDS:.0f} s", took <= SECONDS)
    bare = f"{told['read']:.1f} s to read the rows, {told['write']:.1f} s to write the bytes"
    yield Figure(f"{title}, beside {bare}", f"{times:.1f} times", f"<= {TIMES:.0f} times", times <= TIMES)
    within = told["peak"] <= MEBIBYTES if name == "feide_ldif" else None
    aim = f"<= {MEBIBYTES:.0f} MiB" if name == "feide_ldif" else ""
    yield Figure(f"{title}: most memory", f"{told['peak']:.0f} MiB", aim, within)
    yield Figure(f"{title}: by the clock", f"{told['clock']:.1f} s")


# --- one export, in a process of its own ------------------------------------------------------------------------------


def one(name: str, url: str, folder: Path) -> dict[str, float]:
    """Write an export, then read its rows and write its bytes by themselves; return the times and the memory."""
    kommune = find(KOMMUNER, "haugesund").model_copy(update={"id": "oslo"})
    as_of = datetime(2026, 11, 23, 3, tzinfo=UTC)
    path = folder / EXPORTS[name].file
    with database.transaction(database.engine(url), "oslo") as connection:
        pid = connection.scalar(text("select pg_backend_pid()"))
        shown.views(vetoed_views.views(connection, "oslo", 1, "now_", day=as_of.date(), whole=True))
        clock, began = time.perf_counter(), _cpu(pid)
        with path.open("wb") as out:
            counts = EXPORTS[name].write(reading.ShownViews(connection, kommune, as_of), out)
        took, clock = _cpu(pid) - began, time.perf_counter() - clock
        most = peak()
        began = _cpu(pid)
        for statement in _READS[name]:
            _read(connection, statement)
        read = _cpu(pid) - began
    content = path.read_bytes()
    began = _cpu(None)
    with path.with_suffix(".bare").open("wb") as bare:
        for at in range(0, len(content), 1 << 16):
            bare.write(content[at : at + (1 << 16)])
    write = _cpu(None) - began
    told = {"cpu": took, "clock": clock, "read": read, "write": write, "bare": read + write, "peak": most}
    return told | {"bytes": len(content), "people": counts.people, "memberships": counts.memberships}


def _read(connection: Connection, statement: str) -> None:
    with database.driver(connection).cursor("bare") as cursor:
        cursor.execute(statement)
        while cursor.fetchmany(1000):
            pass


def _cpu(backend: int | None) -> float:
    """Return the seconds of CPU of this process and of a PostgreSQL backend, where /proc tells (Linux)."""
    found = time.process_time()
    status = Path(f"/proc/{backend}/schedstat")
    if backend and status.exists():
        found += int(status.read_text().split()[0]) / 1e9
    return found


# --- the golden record ------------------------------------------------------------------------------------------------

# Schools have 500 pupils. A class has 25, and the eleven subject groups of a pupil have 84 each. A teacher has a class
# and eleven subject groups of the school.
_FILL = """
create temporary table pupil on commit drop as
select n, gen_random_uuid() as id, n / 500 as school, n / 25 as class, n / 84 as block
from generate_series(0, :pupils - 1) as n;

create temporary table employee on commit drop as
select n, gen_random_uuid() as id, s.school, s.school * 20 + n * 7 % 20 as class,
    least(s.school * 500 + n * 37 % 500, :pupils - 1) / 84 as block
from generate_series(0, :employees - 1) as n
cross join lateral (select n % ((:pupils + 499) / 500) as school) as s;

create temporary table guardian on commit drop as
select n, gen_random_uuid() as id, n % :pupils as child from generate_series(0, :pupils * 17 / 10 - 1) as n;

create temporary table member on commit drop as
select 'c' || class as group_id, id, 'student' as role, false as contact from pupil
union all
select 'g' || block || '/' || j, id, 'student', false from pupil cross join generate_series(1, 11) as j
union all
select 'c' || least(class, (:pupils - 1) / 25), id, 'faculty', n < (:pupils + 24) / 25 from employee
union all
select 'g' || block || '/' || j, id, 'faculty', false from employee cross join generate_series(1, 11) as j;

insert into golden.unit (owner, from_run, unit_id, kind, name, sas_id)
select 'oslo', 1, 974000000 + school, 'school', 'Skole nr. ' || school, 's' || school
from (select distinct school from pupil union select distinct school from employee) as s;

insert into golden.school_year (owner, from_run, label, from_date, to_date)
values ('oslo', 1, '2026/2027', '2026-08-01', '2027-07-31');

insert into golden.school_group (
    owner, from_run, group_id, unit_id, group_type, feide_type, name, grep_code, year_level, from_date, to_date,
    timetabled
)
select distinct on (group_id) 'oslo', 1, group_id, 974000000 + school, kind, feide_type, name, grep, 1 + n % 10,
    date '2026-08-01', date '2027-07-31', true
from (
    select 'c' || class as group_id, school, 'basisgruppe' as kind, 'b' as feide_type, class || 'A' as name,
        null as grep, n
    from pupil
    union all
    select 'g' || block || '/' || j, school, 'undervisningsgruppe', 'u', 'Fag ' || j || ' for ' || block,
        'MAT' || lpad(cast(j as text), 4, '0'), n
    from pupil cross join generate_series(1, 11) as j
) as g
order by group_id, n;

insert into golden.membership (owner, from_run, group_id, person_id, role, contact_teacher)
select 'oslo', 1, group_id, id, role, contact from member;

insert into golden.person (
    owner, from_run, person_id, number, fornavn, mellomnavn, etternavn, birth_date, work_email, status, dead, source,
    answered
)
select 'oslo', 1, id, number, 'Fornavn ' || n, null, 'Etternavn-Åse ' || n, birth, mail, 'bosatt', false, 'freg', true
from (
    select id, n, '01' || 81 + n / 100000 || '13' || lpad(cast(n % 100000 as text), 5, '0') as number,
        date '2013-01-01' as birth, null as mail
    from pupil
    union all
    select id, n, '02' || 81 + n / 100000 || '80' || lpad(cast(n % 100000 as text), 5, '0'), date '1980-01-02',
        'ansatt' || n || '@haugesund.kommune.no'
    from employee
    union all
    select id, n, '03' || 81 + n / 100000 || '82' || lpad(cast(n % 100000 as text), 5, '0'), date '1982-01-03', null
    from guardian
) as p;

insert into golden.account (owner, from_run, person_id, uid, role, state)
select 'oslo', 1, id, 'elev' || lpad(cast(n as text), 6, '0'), 'pupil', 'active' from pupil
union all
select 'oslo', 1, id, 'ansatt' || lpad(cast(n as text), 6, '0'), 'employee', 'active' from employee;

insert into golden.enrolment (owner, from_run, person_id, unit_id, school_year, year_level, from_date, to_date, main)
select 'oslo', 1, id, 974000000 + school, '2026/2027', 1 + n % 10, '2026-08-01', '2027-07-31', true from pupil;

insert into golden.employment (
    owner, from_run, employee_id, employment_id, person_id, unit_id, position_name, percentage, main, from_date
)
select 'oslo', 1, n, '1', id, 974000000 + school, 'Lærer', 100, true, '2019-08-01' from employee;

insert into golden.guardian_access (
    owner, from_run, child_id, adult, adult_kind, basis, ansvar, state, of_age_on
)
select 'oslo', 1, p.id, cast(g.id as text), 'person', 'foreldreansvar', 'felles', 'active', '2031-01-01'
from guardian g join pupil p on p.n = g.child;

insert into golden.contact (
    owner, from_run, person_id, email_hash, email_fresh, mobile_hash, mobile_fresh, reserved, status
)
select 'oslo', 1, id, 'e' || n, true, 'm' || n, true, false, 'AKTIV' from guardian;

insert into control.contact_value (owner, hash, value)
select 'oslo', 'e' || n, 'foresatt' || n || '@example.com' from guardian
union all
select 'oslo', 'm' || n, '+47' || 40000000 + n from guardian;
"""


def _fill(connection: Connection, pupils: int, employees: int) -> None:
    for statement in _FILL.split(";\n"):
        if statement.strip():
            connection.execute(text(statement), {"pupils": pupils, "employees": employees})


def main() -> None:
    """Print the figures, or measure one export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pupils", type=int, nargs="?", default=70_000)
    parser.add_argument("employees", type=int, nargs="?", default=20_000)
    parser.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(one(chosen.one, chosen.url, chosen.folder)))
    else:
        print(*measure(chosen.pupils, chosen.employees), sep="\n")


if __name__ == "__main__":
    main()
