"""The fault in a kommune file, as one Norwegian sentence with the file, the line and the cure.

In: pydantic's errors, the file and the defaults below it. The cure is the description of the field in ``kommune``, or
the known word that is nearest to the word in the file.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from dataflyt.config.kommune import Kommune, PlanKind
from dataflyt.config.yaml_text import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_core import ErrorDetails

    from dataflyt.config.yaml_text import Loc, YamlText


def first_complaint(problems: Iterable[ErrorDetails], text: YamlText, defaults: YamlText) -> str:
    """Return the sentence of the first error to mend: a misspelled key before the keys missing because of it."""
    return min((_Complaint.about(problem, text, defaults) for problem in problems), key=_Complaint.order).sentence


@dataclass(frozen=True)
class _Complaint:
    """One of pydantic's errors, as a sentence. A misspelled key sorts before the keys missing because of it."""

    sentence: str
    line: int
    rank: int

    def order(self) -> tuple[int, int]:
        return self.rank, self.line

    @classmethod
    def about(cls, problem: ErrorDetails, text: YamlText, defaults: YamlText) -> _Complaint:
        kind, value = problem["type"], problem["input"]
        loc = _plain(problem["loc"])
        source, (line, scalar) = text, text.line(loc)
        if not text.has(loc) and defaults.has(loc):
            source, (line, scalar) = defaults, defaults.line(loc)
        key = _dotted(loc)
        remedy = _description(loc)
        rank = 1
        if kind == "extra_forbidden":
            rank = 0
            what, remedy = "er ikke et kjent felt", _instead(str(loc[-1]), list(_fields(loc[:-1])))
        elif problem["loc"] and problem["loc"][-1] == "[key]" and kind == "literal_error":
            rank, known = 0, get_args(get_args(_annotation(loc[:-1])[0])[0])
            what = "er ikke en kjent endringstype" if known == get_args(PlanKind) else "er ikke et kjent navn"
            remedy = _instead(str(loc[-1]), list(known))
        elif kind == "missing":
            rank, what = 2, "mangler"
        elif value is None:
            what = "er tom"
        elif kind == "string_type" and scalar is not None and not isinstance(value, (dict, list)):
            written = scalar.zfill(4) if "kommunenummer" in loc and scalar.isdigit() else scalar
            what, remedy = "skal være tekst", f'skriv "{without_secrets(written)}" i anførselstegn'
        elif kind == "dataflyt":
            what = str(problem["ctx"]["what"])
            if ", skriv " in what:
                what, _, remedy = what.partition(", ")
        elif kind in ("model_type", "dict_type"):
            what = "skal ha felter under seg"
        elif kind in ("tuple_type", "list_type"):
            what = "skal være en liste"
        elif kind == "too_short":
            rank, what = (3 if value else 1), "er en tom liste"  # pydantic counts only the elements that are right
        elif isinstance(value, (dict, list)):
            what = "skal være én verdi"
        else:
            what = f"kan ikke være «{without_secrets(str(scalar if scalar is not None else value))}»"
        ending = "" if remedy.endswith("?") else "."
        return cls(f"{source.path.name}, linje {line}: «{key}» {what}: {remedy}{ending}", line, rank)


def _plain(loc: Loc) -> Loc:
    """Return a place without pydantic's additions to keys and numbers: ``[key]`` and the branches of ``day``."""
    if loc[:2] == ("schedule", "day"):
        return loc[:2]
    return tuple(part for part in loc if part != "[key]")


def _dotted(loc: Loc) -> str:
    return ".".join(str(part + 1) if isinstance(part, int) else without_secrets(part) for part in loc) or "filen"


def _instead(written: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(written.lower(), known, n=1, cutoff=0.6)
    if close:
        return f"mente du «{close[0]}»?"
    return f"ta det bort eller skriv et av {', '.join(sorted(known))}" if known else "ta det bort"


def _annotation(loc: Loc) -> tuple[Any, str]:
    """Return a place's type (without Annotated) and the nearest description of what to write, walking the models."""
    kind: Any = Kommune
    description = "se include/kommuner/haugesund.yaml for et eksempel"
    for part in loc:
        if isinstance(kind, types.UnionType):  # an optional field
            kind = get_args(kind)[0]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            if field is None:
                return None, description
            kind, description = field.annotation, field.description or description
        else:
            arguments = get_args(kind)
            if not arguments:
                return kind, description
            kind = arguments[1] if len(arguments) == 2 and arguments[1] is not Ellipsis else arguments[0]
        if hasattr(kind, "__metadata__"):
            description = next(
                (m.description for m in kind.__metadata__ if getattr(m, "description", None)), description
            )
            kind = kind.__origin__
    return kind, description


def _description(loc: Loc) -> str:
    return _annotation(loc)[1]


def _fields(loc: Loc) -> Iterator[str]:
    kind = _annotation(loc)[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from kind.model_fields
