"""What Dataflyt is made of: known vulnerabilities, and licences.

    python -m supervisor.supply audit deploy/requirements.txt     exit code 1 when one is known
    python -m supervisor.supply licences sbom.json licences.csv   from a CycloneDX list

pip-audit asks PyPI about one package after another, and passes over in silence those that PyPI says nothing about. A
mirror of PyPI has the packages and not the vulnerabilities, so one package is asked about first.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

UNKNOWN = "ukjent"


class Audited(NamedTuple):
    """The packages that were looked up, those that could not be, and a sentence for each vulnerability."""

    known: int
    unknown: tuple[str, ...]
    found: tuple[str, ...]


def audit(lock: Path, ask: Callable[[Path], Mapping[str, Any]] | None = None) -> int:
    """Print the known vulnerabilities of a lock; return 1 when there are any, else 0.

    ``ask`` returns pip-audit's answer about a file, and raises OSError when there is none.
    """
    ask = ask or pip_audit
    lines = lock.read_text(encoding="utf-8").splitlines()
    first = next(line.split()[0] for line in lines if "==" in line)
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as one:
            one.write(f"{first}\n")
            one.flush()
            reached = judged(ask(Path(one.name))).known
        if not reached:
            print(f"PyPI kjenner ikke {first} herfra, så listen over sårbarheter nås ikke: ingenting er undersøkt.")
            return 0
        told = judged(ask(lock))
    except OSError as error:
        print(f"Listen over sårbarheter nås ikke ({error}): ingenting er undersøkt.")
        return 0
    for sentence in told.found:
        print(sentence)
    passed = f" Ikke undersøkt: {', '.join(told.unknown)}." if told.unknown else ""
    print(f"{told.known} pakker er undersøkt, {len(told.found)} sårbarheter er kjent.{passed}")
    return 1 if told.found else 0


def pip_audit(file: Path) -> Mapping[str, Any]:
    """Return pip-audit's answer about the packages in a file. Raises OSError when it gives none."""
    words = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--requirement", str(file)]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pip_audit", *words], capture_output=True, text=True, check=False
    )
    try:
        told: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise OSError((done.stderr.strip().splitlines() or ["pip-audit sa ingenting"])[-1]) from None
    return told


def judged(told: Mapping[str, Any]) -> Audited:
    """Return what an answer of pip-audit says.

    >>> judged({"dependencies": [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "no"}]})
    Audited(known=1, unknown=('b',), found=())
    """
    known = [one for one in told["dependencies"] if "vulns" in one]
    found = [
        f"{one['name']} {one['version']}: {bug['id']}, rettet i {', '.join(bug['fix_versions']) or 'ingen versjon'}"
        for one in known
        for bug in one["vulns"]
    ]
    return Audited(len(known), tuple(one["name"] for one in told["dependencies"] if "vulns" not in one), tuple(found))


def licences(sbom: Path, out: Path) -> int:
    """Write name, version and licence of each component in a CycloneDX list; print how many have each licence."""
    rows = [
        (one["name"], one.get("version", ""), " / ".join(of_component(one)) or UNKNOWN)
        for one in json.loads(sbom.read_text(encoding="utf-8"))["components"]
    ]
    with out.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows([("package", "version", "licence"), *sorted(rows)])
    for licence, count in Counter(licence for *_, licence in rows).most_common():
        print(f"{count:4}  {licence}")
    print(f"{len(rows)} pakker står i {out}.")
    return 0


def of_component(component: Mapping[str, Any]) -> Iterable[str]:
    """Return a component's licences: identifiers of SPDX, or else the words that the package itself uses.

    >>> list(of_component({"licenses": [{"license": {"id": "MIT"}}, {"expression": "MIT OR Apache-2.0"}]}))
    ['MIT', 'MIT OR Apache-2.0']
    """
    for one in component.get("licenses", ()):
        licence = one.get("license", {})
        words = one.get("expression") or licence.get("id") or licence.get("name") or UNKNOWN
        yield " ".join(words.removeprefix("License :: OSI Approved :: ").split())[:60]


if __name__ == "__main__":
    done = {"audit": audit, "licences": licences}[sys.argv[1]](*map(Path, sys.argv[2:]))  # type: ignore[operator]
    sys.exit(done)
