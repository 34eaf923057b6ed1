"""``make soak``: twenty kommuner through thirty days of the registers, in Airflow with Celery, with faults and kills.

    python -m tests.cluster.soak --kommuner 20 --days 30 --seed 1

Every day time passes in the registers, new files are delivered, and people decide something (a block, a raised
protection). FREG's events are read, the kommuner whose turn it is have a run, all at once, and the night's DAG follows.
Registers fail at random meanwhile, and on two of the days a worker is killed with SIGKILL and started anew. After each
day nobody who is protected by then, and no access that people have blocked, may be in any kommune's published files. On
the last day nothing fails, and all have a run: every pupil who should be published then is, and every adult has the
access that the simulator says. The same seed makes the same choices.

The clock is the machine's: a day passes in the registers and the files, not for Airflow, so retention deletes nothing.
A register that failed is tried again after twenty seconds, not after minutes.
The report tells how memory, tables and storage have grown. Takes an hour and a half; ``--kommuner 4 --days 5`` takes
some fifteen minutes. Needs Debian's redis-server. Exit code 0 only when nothing was found.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import yaml
from rich.console import Console
from upath import UPath

from dataflyt.config.loading import load_all
from dataflyt.errors import DataflytError
from dataflyt.sources.sas import pifu
from dataflyt.sources.sas import rows as sas
from simulator.manifest import people
from simulator.numbers import organisation
from simulator.weeks import advance
from simulator.world import build_country
from supervisor import logins, remote
from supervisor.__main__ import SIGNALS, interrupted
from supervisor.airflow_api import AirflowApi
from supervisor.home import REPOSITORY, local
from supervisor.processes import SupervisorError
from tests.cluster.__main__ import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataflyt.config.kommune import Kommune

WORLDS = {"1106": "haugesund", "1520": "orsta"}
"""The simulator's kommuner, whose people the others share."""
EVERY = 7
"""Days between two runs of a kommune."""
FAULTS = ("429", "500", "502", "503", "reset", "truncated", "html_200", "half", "few", "out_of_order", "expired_token")
"""Faults that pass, and that a run must get over by itself."""
LONGEST = 900.0
"""Seconds that a day's runs may take."""


# --- Kommuner ---------------------------------------------------------------------------------------------------------


def write_kommuner(folder: Path, count: int) -> None:
    """Write kommune files: every fifth has the people of Haugesund, the others those of Ørsta."""
    folder.mkdir(parents=True, exist_ok=True)
    for at in range(1, count + 1):
        world = "haugesund" if at % 5 == 1 else "orsta"
        said = yaml.safe_load((REPOSITORY / "include" / "kommuner" / f"{world}.yaml").read_text(encoding="utf-8"))
        name = f"soak{at:02d}"
        said |= {"id": name, "name": name.title(), "kommunenummer": [f"5{at:03d}"], "orgnr": _organisation(at)}
        said["feide"]["realm"] = f"{name}.kommune.no"
        said["exports"] = ["feide_ldif", "pifu"]
        for source, one in said["sources"].items():
            one["connection"] = f"{source}_{name}"
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")


def write_dags(folder: Path) -> Path:
    """Copy the DAGs to ``folder``, with twenty seconds' wait for a register that failed in place of minutes."""
    shutil.copytree(REPOSITORY / "dags", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(
            re.sub(r"retry_delay=timedelta\(minutes=\d+\)", "retry_delay=timedelta(seconds=20)", text), "utf-8"
        )
    return folder


def _organisation(serial: int) -> str:
    for number in range(10 * serial, 10 * serial + 10):
        with suppress(ValueError):
            return organisation(f"9{number:07d}")
    raise AssertionError("of any ten in a row some have a control digit")


def world_of(kommune: Kommune) -> str:
    """Return the kommunenummer of the simulator's kommune whose people this one has."""
    return "1106" if int(kommune.id.removeprefix("soak")) % 5 == 1 else "1520"


# --- What was decided, and what was found -----------------------------------------------------------------------------


@dataclass
class Decided:
    """What people have decided in a kommune: blocked pairs of child and adult, and pupils with a raised protection."""

    blocked: set[tuple[str, str]] = field(default_factory=set)
    raised: set[str] = field(default_factory=set)


@dataclass
class Found:
    """What the soak has seen."""

    runs: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    wrong: list[str] = field(default_factory=list)
    sizes: list[dict[str, float]] = field(default_factory=list)


class Soak(Cluster):
    """The cluster, its kommuner, and the days that pass."""

    def __init__(
        self, folder: Path, console: Console, kommuner: Sequence[Kommune], days: int, seed: int, files: Path
    ) -> None:
        super().__init__(folder, console, kommuner, files, days=days)
        self.days = days
        self.random = Random(seed)
        self.country = build_country([one.kommunenummer[0] for one in self.simulated()], 1, self.home.start)
        self.decided = {kommune.id: Decided() for kommune in kommuner}
        self.found = Found()

    # --- the registers and the files --------------------------------------------------------------------------------

    def simulated(self) -> Sequence[Kommune]:
        """Return the two kommuner whose people the simulator has."""
        known, _ = load_all(REPOSITORY / "include" / "kommuner")
        return [one for one in known if one.kommunenummer[0] in WORLDS]

    def deliver(self) -> None:
        """Put today's files of each kommune into the object store."""
        with tempfile.TemporaryDirectory() as drop:
            files = [*remote.simulator(self.home, self.simulated(), "files"), "--drop", drop]
            subprocess.run(files, check=True, stdout=subprocess.DEVNULL)
            for kommune in self.kommuner:
                for path in sorted((Path(drop) / world_of(kommune)).rglob("*")):
                    if path.is_file():
                        below = path.relative_to(Path(drop) / world_of(kommune)).as_posix()
                        target = UPath(self.store.storage) / "drop" / kommune.kommunenummer[0] / below
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(path.read_bytes())

    def truth(self) -> dict[str, list[dict[str, Any]]]:
        """Return everybody in each world today, and what must come of them."""
        advance(self.country, self.home.today)
        # As JSON: the people of a later day are the same objects.
        return {number: json.loads(json.dumps([*people(world)])) for number, world in self.country.worlds.items()}

    def fail(self) -> None:
        """Let the registers fail for some requests."""
        fault, path = self.random.choice(FAULTS), self.random.choice(("freg", "krr", "token"))
        if fault in ("truncated", "half", "few", "out_of_order") and path == "token":
            path = "krr"
        # A new token that is refused too is a refusal, which a run does not get over.
        count = 1 if fault == "expired_token" else self.random.randint(1, 3)
        said = {"name": fault, "path": path, "count": count}
        httpx.post(f"{self.simulator}/simulator/faults", json=said, trust_env=False, timeout=60).raise_for_status()
        self.found.faults[f"{fault}@{path}"] += count

    # --- Airflow ------------------------------------------------------------------------------------------------------

    def follow(self, dags: Iterable[str], *, kill: bool = False, faults: int = 0) -> None:
        """Run DAGs at once to their end, and answer what they ask; meanwhile let registers fail and kill a worker."""
        runs = {(dag, self.airflow.trigger(dag, "soak")) for dag in dags}
        began = time.monotonic()
        kill_at = self.random.uniform(5, 40) if kill else None
        fail_at = sorted(self.random.uniform(0, 30) for _ in range(faults))
        asked: dict[tuple[str, str], float] = {}
        down = None
        while runs:
            self.processes.must_run()
            now = time.monotonic() - began
            if kill_at is not None and now > kill_at:
                kill_at, down = None, (self.random.choice(self.workers), now)
                down[0].kill(self.processes)
                self.found.kills += 1
                self.console.print(f"  {now:6.1f} s  [bold red]{down[0].name} drept[/]")
            if down and now - down[1] > 10:
                down[0].start(self.processes)
                down = None
            while fail_at and now > fail_at[0]:
                fail_at.pop(0)
                self.fail()
            for dag, run in sorted(runs):
                with suppress(httpx.TransportError):
                    if self.ended(dag, run, asked, now):
                        runs = runs - {(dag, run)}
            if now > LONGEST:
                self.wrong(f"{len(runs)} runs were not done after {LONGEST:.0f} s")
                return
            time.sleep(max(0.5, 0.2 * len(runs)))  # twenty runs asked about twice a second keep the API server busy
        if down:
            down[0].start(self.processes)

    def ended(self, dag: str, run: str, asked: dict[tuple[str, str], float], now: float) -> bool:
        """Tell whether a run has ended. Answer a question that has waited a while."""
        state = self.airflow.run_state(dag, run)
        if state in ("success", "failed"):
            self.found.runs[f"{dag.split('_')[0]} {state}"] += 1
            if state == "failed":
                self.tell_failed(dag, run)
            return True
        for task in self.airflow.tasks(dag, run):
            if task["state"] == "awaiting_input" and now - asked.setdefault((dag, run), now) > 4:
                self.approver_of[dag].answer(dag, run, task["task_id"], "Approve")
                del asked[dag, run]
        return False

    def tell_failed(self, dag: str, run: str) -> None:
        """Say which tasks failed, and why: only what cannot be got over may fail a run."""
        for task in self.airflow.tasks(dag, run):
            if task["state"] == "failed":
                reason = self.airflow.failure(dag, run, task)
                self.wrong(f"{dag}: {task['task_id']} failed ({reason})")

    def wrong(self, what: str) -> None:
        """Note something that must not be."""
        self.found.wrong.append(f"{self.home.today}: {what}")
        self.console.print(f"  [red]{what}[/]", soft_wrap=True)

    # --- people -------------------------------------------------------------------------------------------------------

    def decide(self, truth: dict[str, list[dict[str, Any]]]) -> None:
        """Let people of a kommune block an adult, or raise a pupil's protection."""
        kommune = self.random.choice(self.kommuner)
        done = self.decided[kommune.id]
        everybody = truth[world_of(kommune)]
        pupils = [one for one in everybody if one["number"] and "class" in one and one["number"] not in done.raised]
        ldif = self.published_texts(kommune).get("feide.ldif", "")
        pupils = [one for one in pupils if one["protection"]["effective"] is None and _active(one)]
        pupils = [one for one in pupils if one["number"] in ldif]  # others have come since its last run
        child = self.random.choice(pupils)
        who = ["--as", kommune.people[0].id, "--purpose", "soak", "--graded", "--case", "2026/1"]
        if self.random.random() < 0.7:
            adult = self.random.choice(sorted(_active(child)))
            said = ["block", "add", kommune.id, "--child", child["number"], "--adult", adult, "--basis", "other", *who]
            kind = "block"
        else:
            until = (self.home.today + timedelta(days=900)).isoformat()
            said = ["override", "add", kommune.id, "--person", child["number"], "--field", "adressebeskyttelse"]
            said += ["--value", "strengtFortrolig", "--reason", "soak", "--review", until, *who]
            kind = "raise"
        program = str(Path(sys.executable).with_name("dataflyt"))
        done_ = subprocess.run([program, *said], env=self.central, capture_output=True, text=True, check=False)
        if done_.returncode:
            self.wrong(f"{kind} was refused: {done_.stdout[-300:]} {done_.stderr[-300:]}")
            return
        self.found.decisions[kind] += 1
        if kind == "block":
            done.blocked.add((child["number"], adult))
        else:
            done.raised.add(child["number"])

    # --- checks -------------------------------------------------------------------------------------------------------

    def check(self, truth: dict[str, list[dict[str, Any]]]) -> None:
        """Look for the protected, and for blocked access, in what each kommune has published."""
        for kommune in self.kommuner:
            files = self.published_texts(kommune)
            if not files:
                continue
            done = self.decided[kommune.id]
            hidden = {one["number"]: one for one in truth[world_of(kommune)] if one["number"] and _hidden(one)}
            for name, content in files.items():
                numbers = set(re.findall(r"(?<!\d)\d{11}(?!\d)", content))
                if seen := numbers & (hidden.keys() | done.raised):
                    self.wrong(f"{kommune.id}: {name} has {len(seen)} protected people: {_causes(seen, hidden)}")
            allowed = self.access(kommune)
            if still := allowed & done.blocked:
                self.wrong(f"{kommune.id}: {len(still)} blocked adults have access")

    def check_whole(self, truth: dict[str, list[dict[str, Any]]]) -> None:
        """Compare what is published, after a run that nothing disturbed, with what the simulator says."""
        for kommune in self.kommuner:
            done = self.decided[kommune.id]
            everybody = [one for one in truth[world_of(kommune)] if one["number"]]
            pupils = {one["number"]: one for one in everybody if "class" in one and one["in_freg"] and not one["dead"]}
            # Protection that people raise also protects brothers and sisters who live there.
            adults = {one["number"] for child in done.raised for one in pupils[child]["access"]}
            family = {number for number, one in pupils.items() if adults & {other["number"] for other in one["access"]}}
            ldif = self.published_texts(kommune).get("feide.ldif", "")
            missing = [
                one
                for number, one in pupils.items()
                if not _hidden(one) and number not in family and number not in ldif
            ]
            if missing:
                self.wrong(f"{kommune.id}: {len(missing)} pupils are not published: {_cases(missing)}")
            should = {(number, adult) for number, one in pupils.items() for adult in _active(one)}
            has = self.access(kommune)
            if lacking := {(child, adult) for child, adult in should - has - done.blocked if child not in family}:
                who = _cases(pupils[child] for child, _ in lacking)
                self.wrong(f"{kommune.id}: {len(lacking)} adults lack their access: {who}")
            if beyond := has - should:
                who = _cases(pupils.get(child, {"cases": ["no such pupil"]}) for child, _ in beyond)
                self.wrong(f"{kommune.id}: {len(beyond)} adults have access that they should not: {who}")

    def published_texts(self, kommune: Kommune) -> dict[str, str]:
        """Return the published files of a kommune; none before its first run."""
        exports = UPath(self.store.storage) / "exports" / kommune.id
        exports.fs.invalidate_cache()
        if not (exports / "manifest.json").exists():
            return {}
        manifest = json.loads((exports / "manifest.json").read_bytes())
        return {
            file["file"]: (exports / manifest["publication"] / file["file"]).read_bytes().decode(errors="replace")
            for file in manifest["files"]
        }

    def access(self, kommune: Kommune) -> set[tuple[str, str]]:
        """Return who has access by the published PIFU file, as numbers of child and adult."""
        content = self.published_texts(kommune).get("pifu.xml", "")
        rows = list(pifu.read(io.BytesIO(content.encode()))) if content else []
        numbers = {row.person_id: row.number for row in rows if isinstance(row, sas.Person)}
        return {
            (child, adult)
            for row in rows
            if isinstance(row, sas.Guardian)
            if (child := numbers.get(row.child_id)) and (adult := numbers.get(row.guardian_id))
        }

    def measure(self) -> None:
        """Note memory in MiB by process, the warehouse's and the object store's size, and the largest table's."""
        found: dict[str, float] = {}
        for name, process in self.processes.running.items():
            with suppress(psutil.Error):
                family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
                found[name] = sum(one.memory_info().rss for one in family) / (1 << 20)
        with self.warehouse.admin("warehouse") as connection:
            row = connection.execute("select pg_database_size('warehouse')").fetchone()
        found["warehouse (MiB on disk)"] = float(row[0]) / (1 << 20)  # type: ignore[index,arg-type]
        with self.metadata.admin("airflow") as connection:
            row = connection.execute("select pg_database_size('airflow')").fetchone()
        found["metadata (MiB on disk)"] = float(row[0]) / (1 << 20)  # type: ignore[index,arg-type]
        self.found.sizes.append(found)

    # --- the days -----------------------------------------------------------------------------------------------------

    def soak(self) -> None:
        """Let the days pass."""
        say = self.console.print
        self.start()
        for dag in ("freg_events", "nightly"):
            known = lambda dag=dag: self.airflow.dag(dag) is not None  # noqa: E731
            self.processes.wait_for("Airflows DAG-leser", known, timeout=300)
            self.airflow.pause(dag, False)
        self.approver_of = {
            f"kommune_{kommune.id}": AirflowApi(self.url, approver.user, self.home.password(approver.user))
            for kommune in self.kommuner
            for approver in logins.approvers([kommune])[:1]
        }
        for api in self.approver_of.values():
            api.http.timeout = 180
        busy = [day for day in range(1, self.days) if any((at + day) % EVERY == 0 for at in range(len(self.kommuner)))]
        kills = set(self.random.sample(busy, min(2, len(busy))))
        began = time.monotonic()
        dags = [f"kommune_{kommune.id}" for kommune in self.kommuner]
        say(f"[bold]Første kjøring av {len(dags)} kommuner, {self.home.today}[/]")
        self.follow(dags)
        self.check(self.truth())
        self.measure()
        for day in range(1, self.days + 1):
            self.pass_until(self.home.start + timedelta(days=day))
            truth = self.truth()
            last = day == self.days
            say(f"[bold]Dag {day}, {self.home.today}[/], {(time.monotonic() - began) / 60:.0f} min")
            self.decide(truth)
            self.follow(["freg_events"])
            self.check(truth)
            due = dags if last else [dag for at, dag in enumerate(dags) if (at + day) % EVERY == 0]
            self.follow(due, kill=day in kills, faults=0 if last else self.random.randint(0, 3))
            self.follow(["nightly"])
            httpx.delete(f"{self.simulator}/simulator/faults", trust_env=False, timeout=60)
            self.check(truth)
            self.measure()
        self.check_whole(truth)


def _active(child: dict[str, Any]) -> set[str]:
    """Return the numbers of the adults who should have access to the child."""
    return {one["number"] for one in child.get("access", []) if one["access"] and one["number"]}


def _hidden(one: dict[str, Any]) -> bool:
    return one["protection"]["effective"] == "strengtFortrolig"


def _causes(seen: set[str], hidden: dict[str, dict[str, Any]]) -> str:
    found = Counter(",".join(hidden[one]["protection"]["because"]) if one in hidden else "override" for one in seen)
    return ", ".join(f"{count} {cause}" for cause, count in found.items())


def _cases(some: Iterable[dict[str, Any]]) -> str:
    found = Counter(",".join(one["cases"]) or "no case" for one in some)
    return "; ".join(f"{count} {case}" for case, count in found.items())


def report(soak: Soak) -> Iterator[str]:
    """Yield the lines of the report."""
    found = soak.found
    yield f"Kjøringer: {', '.join(f'{count} {what}' for what, count in sorted(found.runs.items()))}"
    yield f"Feil i registrene: {sum(found.faults.values())} ({len(found.faults)} slag); drepte arbeidere: {found.kills}"
    yield f"Avgjørelser: {', '.join(f'{count} {what}' for what, count in found.decisions.items())}"
    for name in found.sizes[0]:
        each = [one[name] for one in found.sizes if name in one]
        yield f"  {name:28} første dag {each[0]:8.0f}  halvveis {each[len(each) // 2]:8.0f}  siste dag {each[-1]:8.0f}"
    yield f"Funnet: {len(found.wrong)}"
    yield from (f"  {one}" for one in found.wrong)


def main(arguments: list[str]) -> int:
    """Do the soak, and leave nothing running."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.soak", description=__doc__)
    parser.add_argument("--kommuner", type=int, default=20, help="how many (default %(default)s)")
    parser.add_argument("--days", type=int, default=30, help="days that pass (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="other seed, other choices (default %(default)s)")
    chosen = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    for number in SIGNALS:
        signal.signal(number, interrupted)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    soak = None
    try:
        with tempfile.TemporaryDirectory(prefix="dataflyt-soak-") as made:
            write_kommuner(Path(made), chosen.kommuner)
            kommuner, broken = load_all(Path(made))
            if broken:
                raise SupervisorError(f"Kommunefilene kan ikke leses: {broken}")
            soak = Soak(local() / "soak", console, kommuner, chosen.days, chosen.seed, Path(made))
            soak.dags = write_dags(soak.folder / "dags")
            soak.soak()
            console.print(*report(soak), sep="\n", markup=False, soft_wrap=True)
    except (SupervisorError, DataflytError) as trouble:
        console.print(str(trouble), style="red", markup=False, soft_wrap=True)
        return 1
    finally:
        if soak is not None:
            soak.stop()
    console.print("[bold green]Ingenting å utsette.[/]" if not soak.found.wrong else "[bold red]Noe var galt.[/]")
    return int(bool(soak.found.wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
