"""Search the printed, logged, reported and published texts for people who must not be in them."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SOURCES = {"drop", "landing", "postgres", "backups"}
"""Folders that may hold people: the sources' own files, their landed answers, the warehouse and its backups."""


def texts_below(folder: Path) -> dict[Path, str]:
    """Read every file below ``folder`` but the sources' as lower-case text."""
    return {
        path: path.read_bytes().decode(errors="replace").lower()
        for path in folder.rglob("*")
        if path.is_file() and not SOURCES & set(path.relative_to(folder).parts)
    }


def search(texts: Mapping[Path, str], world: Iterable[Mapping[str, Any]]) -> int:
    """Assert that ``texts`` name no hidden person; return the number of planted words that were searched for.

    ``world`` is the simulator's manifest of everybody. A directory (.ldif) may hold the numbers of pupils and
    employees, and a PIFU file (.xml) also those of guardians with access. No other file may hold a number.
    """
    world = list(world)
    by_number = {person["number"]: person for person in world if person["number"]}
    planted = 0
    for person in world:
        level = person["protection"]["effective"]
        for where, word in person["canaries"].items():
            # fortrolig: the name and the account stay; strengtFortrolig: nothing stays.
            if level == "strengtFortrolig" or (level == "fortrolig" and "navn" not in where):
                planted += 1
                leaks = [str(path) for path, text in texts.items() if word.lower() in text]
                assert leaks == [], f"{where} of somebody who is {level}"
    shown = {number for number, person in by_number.items() if person["protection"]["effective"] != "strengtFortrolig"}
    schools = {
        number for number in shown if "pupil" in by_number[number]["roles"] or by_number[number].get("employee_id")
    }
    guardians = {
        access["number"] for number in shown for access in by_number[number].get("access", []) if access["access"]
    }
    allowed = {".ldif": schools, ".xml": schools | (guardians & shown)}
    for path, text in texts.items():
        found = set(re.findall(r"(?<!\d)\d{11}(?!\d)", text)) & by_number.keys()
        wrong = found - allowed.get(path.suffix, set())
        assert not wrong, f"{len(wrong)} numbers in {path}"
    return planted
