"""Reading kommune files: a ``Kommune`` for each good file, one Norwegian sentence for each broken file.

In: ``<folder>/<id>.yaml``, laid over the folder's ``_defaults.yaml`` or, if it has none, over Dataflyt's. Maps are
merged; lists and values are replaced. A sentence never repeats a value that looks like a secret or an identity number.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dataflyt.config.complaints import first_complaint
from dataflyt.config.kommune import Kommune
from dataflyt.config.yaml_text import YamlText, without_secrets
from dataflyt.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULTS = "_defaults.yaml"
LONGEST_BROKEN_ID = 100
"""Letters. A single DAG id over Airflow's limit of 250 letters stops every DAG of the same file."""


@dataclass(frozen=True)
class BrokenFile:
    """A kommune file that cannot be used. ``id`` is the file's name made fit for a DAG id, ``sentence`` the reason."""

    path: Path
    id: str
    sentence: str


def folder_of_kommuner() -> Path:
    """Return the folder of kommune files: DATAFLYT_KOMMUNER, otherwise include/kommuner of this checkout."""
    return Path(os.environ.get("DATAFLYT_KOMMUNER") or Path(__file__).resolve().parents[2] / "kommuner")


def load(path: Path) -> Kommune:
    """Read one kommune file over the defaults. Raises ConfigError."""
    return _understand(YamlText.read(path), _defaults(path.parent))


def load_all(folder: Path) -> tuple[list[Kommune], list[BrokenFile]]:
    """Return the kommuner of a folder and the files that cannot be used, in the order of the files' names.

    A file that claims a kommunenummer, orgnr or warehouse connection of an earlier file is broken.
    Raises ConfigError when the folder cannot be read.
    """
    good: list[Kommune] = []
    broken: list[tuple[Path, str]] = []
    taken: dict[tuple[str, str], str] = {}
    defaults: YamlText | ConfigError
    try:
        defaults = _defaults(folder)
    except ConfigError as error:
        defaults = error
    for path in _files(folder):
        try:
            if isinstance(defaults, ConfigError):
                raise defaults
            if path.suffix != ".yaml":
                raise ConfigError(f"{path.name} leses ikke: gi filen endelsen .yaml.")
            text = YamlText.read(path)
            kommune = _understand(text, defaults)
            claims = [("kommunenummer", number) for number in kommune.kommunenummer]
            claims += [("orgnr", kommune.orgnr), ("warehouse", kommune.warehouse)]
            for field, value in claims:
                if (other := taken.get((field, value))) is not None:
                    line = text.line((field,))[0]
                    raise ConfigError(
                        f"{path.name}, linje {line}: «{field}» {value} står også i {other}: rett den som er feil."
                    )
            taken.update({claim: path.name for claim in claims})
            good.append(kommune)
        except ConfigError as error:
            broken.append((path, error.sentence))
    return good, list(_named(broken, {kommune.id for kommune in good}))


def claimed(folder: Path) -> dict[str, str]:
    """Return each kommunenummer of the folder with the file that names it, even a file that cannot be used yet.

    Raises ConfigError when the folder cannot be read.
    """
    found: dict[str, str] = {}
    for path in _files(folder):
        with contextlib.suppress(ConfigError):
            numbers = YamlText.read(path).data.get("kommunenummer")
            for number in numbers if isinstance(numbers, list) else [numbers]:
                if isinstance(number, str):
                    found.setdefault(number, path.name)
    return found


def find(folder: Path, name: str) -> Kommune:
    """Return a kommune by id or kommunenummer. Raises ConfigError when it is unknown or its file is broken."""
    good, broken = load_all(folder)
    wanted = name.strip().lower()
    for kommune in good:
        if wanted in (kommune.id, *kommune.kommunenummer):
            return kommune
    for one in broken:
        if wanted in (one.id, one.path.stem.lower()):
            raise ConfigError(one.sentence)
    import difflib  # not read by every task that parses its DAG

    close = difflib.get_close_matches(wanted, [kommune.id for kommune in good], n=1)
    hint = f"mente du «{close[0]}»?" if close else "«dataflyt kommune list» viser dem som finnes."
    files = "kommunefil" if len(broken) == 1 else "kommunefiler"
    also = f" ({len(broken)} {files} kunne ikke leses)" if broken else ""
    raise ConfigError(f"Ingen kommune i {folder} heter «{without_secrets(name)}»{also}: {hint}")


# --- from a file to a Kommune ---------------------------------------------------------------------------------------


def _files(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        raise ConfigError(
            f"Mappen {folder} kan ikke leses: sett DATAFLYT_KOMMUNER til mappen med kommunefilene."
        ) from None
    return [path for path in paths if path.suffix in (".yaml", ".yml") and path.name[0] not in "._"]


def _named(broken: list[tuple[Path, str]], ids: set[str]) -> Iterator[BrokenFile]:
    """Yield broken files, each with an id that no other broken file and no good kommune in ``ids`` has."""
    for path, sentence in broken:
        wish = name = re.sub(r"[^a-z0-9_]+", "_", path.stem.lower())[:LONGEST_BROKEN_ID] or "uten_navn"
        number = 1
        while name in ids:
            number += 1
            name = f"{wish}_{number}"
        ids.add(name)
        yield BrokenFile(path, name, sentence)


def _defaults(folder: Path) -> YamlText:
    """Read the defaults of all kommuner: the folder's own file, or Dataflyt's."""
    own = folder / DEFAULTS
    return YamlText.read(own if own.exists() else Path(__file__).with_name(DEFAULTS))


def _understand(text: YamlText, defaults: YamlText) -> Kommune:
    merged = _merge(defaults.data, text.data)
    identity = merged.get("id")
    if "warehouse" not in merged and isinstance(identity, str):
        merged["warehouse"] = f"warehouse_{identity}"
    try:
        kommune = Kommune.model_validate(merged)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    else:
        if kommune.id == text.path.stem:
            return kommune
        line = text.line(("id",))[0]
        raise ConfigError(
            f"{text.path.name}, linje {line}: «id» er {kommune.id}, men filen heter {text.path.name}: "
            f"skriv id: {text.path.stem}, eller gi filen navnet {kommune.id}.yaml."
        )
    raise ConfigError(first_complaint(problems, text, defaults))


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
