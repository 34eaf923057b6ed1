"""Compare, byte for byte, what two versions of Dataflyt publish from the same simulated weeks.

    python benchmarks/same_exports.py BEFORE AFTER --weeks 3 --start 2026-07-20

BEFORE and AFTER are git commits or folders that hold the repository. Each is run through the weeks of ``make demo
WEEKS=…``: three kommuner, the simulated registers, an embedded PostgreSQL of its own. Every file of every publication
of every kommune is compared, and every manifest, in the order of publication; with ``--reports`` also the runs'
reports. Prints a line a file. Exit code 0 when all are the same, 1 when any differs or is missing, 2 when a version
could not be run.

The exports depend on nothing but the version, the seed and the first day, except for one thing: the warehouse draws a
key for each kommune (``control.owner.secret``), and a person's id in PIFU and the order of persons in every export
follow from that key. The script therefore puts a trigger on ``control.owner`` before the first run, which sets the key
to the same text in both versions. Reports are the same too. Logs, the printed text and the database are not compared:
they hold clocks.

Publications are copied while the weeks run, since a kommune keeps only its last two. The copy is made when a manifest
is put in its place: an audit hook sees ``os.replace`` of ``exports/<kommune>/manifest.json``. The copies are kept in
``.local/same_exports`` for ``diff``. A commit's copies are used again the next time, with the same weeks and start,
unless ``--anew`` is given or both versions are the same commit.

Each version is imported from its own ``include`` by PYTHONPATH, which comes before an editable install; the script
stops when a module comes from elsewhere. A version needs ``supervisor.__main__`` with ``Supervisor.start_services``,
``Supervisor.postgres`` and ``main``.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from filecmp import cmp
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
KEPT = Path(os.environ.get("DATAFLYT_LOCAL") or REPOSITORY / ".local").resolve() / "same_exports"

SAME_KEYS = """
create function public.same_key() returns trigger language plpgsql as $$
begin
    new.secret := encode(sha256(convert_to('same exports:' || new.owner, 'UTF8')), 'hex');
    return new;
end $$;
create trigger same_key before insert on control.owner for each row execute function public.same_key();
"""


class Failed(Exception):
    """A version could not be run; the text says why."""


def main() -> int:
    """Run both versions, two at a time, and compare what they published."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="a git commit, or a folder")
    parser.add_argument("after", help="a git commit, or a folder")
    parser.add_argument("--weeks", type=int, default=3, help="how many weeks (default: 3)")
    parser.add_argument("--start", default="2026-07-20", help="the first day (default: 2026-07-20)")
    parser.add_argument("--reports", action="store_true", help="compare the runs' reports too")
    parser.add_argument("--anew", action="store_true", help="run a commit again whose results are kept")
    chosen = parser.parse_args()
    versions = chosen.before, chosen.after
    try:
        names = [name_of(version, chosen) for version in versions]
        twice = names[0] == names[1]
        folders = [KEPT / (f"{name}-again" if twice and number else name) for number, name in enumerate(names)]
        with ThreadPoolExecutor(2) as pool:
            anew = chosen.anew or twice
            list(pool.map(lambda pair: obtain(*pair, chosen, anew=anew), zip(versions, folders, strict=True)))
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 2
    different = 0
    for verdict, name in compare(*folders, reports=chosen.reports):
        print(f"{verdict:<10} {name}")
        different += verdict != "same"
    print(
        f"\n{different} differ." if different else "\nAll are the same.", f"They lie in\n  {folders[0]}\n  {folders[1]}"
    )
    return 1 if different else 0


def name_of(version: str, chosen: argparse.Namespace) -> str:
    """Return the folder name for a version's results: the commit's number, or the folder's path; weeks and start."""
    if Path(version).is_dir():
        bare = str(Path(version).resolve()).strip("/").replace("/", "_")
    else:
        found = git("rev-parse", "--verify", "--quiet", f"{version}^{{commit}}")
        bare = found.strip()[:12]
        if not bare:
            raise Failed(f"{version} is neither a commit nor a folder.")
    return f"{bare}-{chosen.weeks}-weeks-from-{chosen.start}"


def git(*words: str) -> str:
    """Return what git answers in the repository; "" when it fails."""
    return subprocess.run(["git", "-C", str(REPOSITORY), *words], capture_output=True, text=True, check=False).stdout


def obtain(version: str, folder: Path, chosen: argparse.Namespace, *, anew: bool) -> None:
    """Fill ``folder`` with a version's publications. Raises Failed."""
    done = folder / "done"
    if done.exists() and not anew and not Path(version).is_dir():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o711)  # PostgreSQL runs as another user when root starts it
    with tempfile.TemporaryDirectory(prefix="same-exports-") as temporary:
        Path(temporary).chmod(0o711)
        tree = Path(version).resolve() if Path(version).is_dir() else check_out(version, Path(temporary) / "tree")
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AIRFLOW", "_AIRFLOW", "DATAFLYT_")) and key != "PYTHONDONTWRITEBYTECODE"
        }
        environment |= {"PYTHONPATH": str(tree / "include"), "DATAFLYT_LOCAL": str(Path(temporary) / "local")}
        words = [sys.executable, __file__, "--one", str(folder), str(chosen.weeks), chosen.start]
        with (folder / "printed.txt").open("w") as printed:
            code = subprocess.run(
                words, cwd=tree, env=environment, stdout=printed, stderr=printed, check=False
            ).returncode
        shutil.copytree(
            Path(temporary) / "local" / "weeks" / "storage" / "reports", folder / "reports", dirs_exist_ok=True
        )
    if code:
        last = (folder / "printed.txt").read_text(encoding="utf-8").rstrip().splitlines()[-5:]
        raise Failed("\n".join([f"{version} ended with exit code {code}; see {folder / 'printed.txt'}:", *last]))
    done.touch()


def check_out(commit: str, tree: Path) -> Path:
    """Write a commit's files to a folder, without making it a git worktree."""
    tree.mkdir()
    words = ["git", "-C", str(REPOSITORY), "archive", commit]
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE) as archive,
        tarfile.open(fileobj=archive.stdout, mode="r|") as tar,
    ):
        tar.extractall(tree, filter="data")
    return tree


def compare(before: Path, after: Path, *, reports: bool) -> Iterator[tuple[str, str]]:
    """Yield a verdict for each file: same, different, or the only side that has it."""
    for kind in ("exports", "reports") if reports else ("exports",):
        names = sorted(
            {file.relative_to(side).as_posix() for side in (before, after) for file in (side / kind).rglob("*.*")}
        )
        for name in names:
            one, other = before / name, after / name
            if not other.exists():
                yield "BEFORE has", name
            elif not one.exists():
                yield "AFTER has", name
            else:
                yield "same" if cmp(one, other, shallow=False) else "DIFFERENT", name


def run_one(folder: Path, weeks: str, start: str) -> int:
    """Run the weeks with the version on PYTHONPATH, and copy each publication to ``folder``/exports."""
    include = Path(os.environ["PYTHONPATH"])
    import psycopg

    import dataflyt
    import simulator
    import supervisor.__main__ as supervisor

    for module in (dataflyt, simulator, supervisor):
        if not Path(str(module.__file__)).is_relative_to(include):
            raise SystemExit(f"{module.__name__} comes from {module.__file__}, not from {include}.")
    start_services = supervisor.Supervisor.start_services

    def with_same_keys(self: Any) -> None:
        start_services(self)
        if self.environment["PYTHONPATH"] != str(include):
            raise SystemExit("The started processes have another PYTHONPATH.")
        with psycopg.connect(libpq(self.postgres.url("dataflyt"))) as connection:
            connection.execute(SAME_KEYS)

    supervisor.Supervisor.start_services = with_same_keys
    count: dict[str, int] = {}

    def copy_published(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "os.rename" or not str(arguments[1]).endswith("/manifest.json"):
            return
        owner = Path(arguments[1]).parent
        if owner.parent.name == "exports":
            count[owner.name] = count.get(owner.name, 0) + 1
            publication = json.loads(Path(arguments[0]).read_bytes())["publication"]
            copied = folder / "exports" / owner.name / f"{count[owner.name]:03d}"
            shutil.copytree(owner / publication, copied)
            shutil.copyfile(arguments[0], copied / "manifest.json")

    sys.addaudithook(copy_published)
    code: int = supervisor.main(["demo", "--weeks", weeks, "--start", start])
    for manifest in Path(os.environ["DATAFLYT_LOCAL"]).glob("weeks/storage/exports/*/manifest.json"):
        last = folder / "exports" / manifest.parent.name / f"{count.get(manifest.parent.name, 0):03d}" / "manifest.json"
        if not last.exists() or not cmp(last, manifest, shallow=False):
            raise SystemExit(f"The last publication of {manifest.parent.name} was not seen.")
    return code if count else 1


def libpq(url: str) -> str:
    """Return a URL that psycopg reads: SQLAlchemy's names the driver too."""
    return url.replace("postgresql+psycopg://", "postgresql://")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.exit(run_one(Path(sys.argv[2]), *sys.argv[3:]))
    sys.exit(main())
