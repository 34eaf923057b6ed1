"""A YAML file that an operator wrote, as data and as nodes that know their lines.

In: a path. Out: a ``YamlText``, or ConfigError with one Norwegian sentence that names file, line and cure. Some files
are refused although a parser would accept them silently: a key twice, anchors, a secret in the wrong place. Files made
to harm the parser are refused too: too large, too deep, control characters.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from dataflyt.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_FILE = 256 * 1024
"""Bytes."""
LARGEST_DEPTH = 100
"""Levels of maps and lists."""

Loc: TypeAlias = tuple[int | str, ...]
"""A place in a file, as pydantic gives it: keys, and numbers of list elements from 0."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = yaml.reader.Reader.NON_PRINTABLE
_SECRET_KEY = re.compile(
    r"password|passord|secret|hemmelig|token|private|privat|api_?key|n[øo]kkel|\bpem\b", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"-----BEGIN|://[^/\s]*:[^/\s]*@|^eyJ[\w-]+\.")
_PROBLEMS = (
    ("found duplicate anchor", "bruker et anker to ganger", "skriv verdiene ut der de trengs"),
    ("found undefined alias", "viser til et anker som ikke finnes", "skriv verdien ut, uten * og &"),
    ("expected a single document", "har flere dokumenter", "ta bort linjen med ---"),
    ("but found another document", "har flere dokumenter", "ta bort linjen med ---"),
    ("mapping values are not allowed", "har et kolon for mye", "sett teksten i anførselstegn, eller rett innrykket"),
    ("could not find expected ':'", "mangler et kolon", "skriv felt: verdi, med mellomrom etter kolonet"),
    (
        "did not find expected key",
        "har et innrykk eller et tegn som ikke passer",
        "rett innrykket, eller skriv felt: verdi",
    ),
    ("did not find expected ',' or", "har en klamme som ikke er lukket", "skriv den avsluttende ] eller }"),
    ("unexpected end of stream", "har et anførselstegn som ikke er lukket", "skriv det avsluttende anførselstegnet"),
    ("did not find expected '-'", "har en liste med ujevnt innrykk", "la alle - i listen stå like langt inne"),
    ("could not determine a constructor", "har en YAML-merkelapp (!)", "skriv verdien uten merkelapp"),
    ("cannot start any token", "har et tegn YAML ikke kan begynne med", "sett verdien i anførselstegn"),
)


@dataclass(frozen=True)
class YamlText:
    """A YAML file as data, and as nodes that know their lines."""

    path: Path
    data: dict[str, Any]
    node: yaml.MappingNode

    @classmethod
    def read(cls, path: Path) -> YamlText:
        """Parse a file once. Raises ConfigError when it is not a plain YAML map."""
        text = _text(path)
        if _too_deep(text):
            raise ConfigError(f"{path.name}, linje 1: filen har for mange nivåer: se haugesund.yaml for et eksempel.")
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise ConfigError(f"{path.name}, linje 1: filen er tom: skriv kommunens felter, som i haugesund.yaml.")
            if not isinstance(node, yaml.MappingNode):
                raise ConfigError(
                    f"{path.name}, linje {_line_of(node)}: filen har ikke felter: skriv felt: verdi på hver linje."
                )
            _inspect(path, node)
            data = loader.construct_document(node)
        except yaml.YAMLError as error:
            sentence = _syntax(path, text, error)
        except (RecursionError, TypeError, ValueError):
            sentence = f"{path.name}, linje 1: filen kan ikke leses som YAML: se haugesund.yaml for et eksempel."
        else:
            return cls(path, data, node)
        finally:
            loader.dispose()
        raise ConfigError(sentence)

    def _steps(self, loc: Loc) -> Iterator[tuple[int, yaml.Node]]:
        """Yield the line and the node of each step along ``loc``, as far as the file goes."""
        node: yaml.Node = self.node
        for part in loc:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
                if found is None:
                    return
                line, node = _line_of(found[0]), found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = _line_of(node)
            else:
                return
            yield line, node

    def has(self, loc: Loc) -> bool:
        """Tell whether the file itself has this place."""
        return len(list(self._steps(loc))) == len(loc)

    def line(self, loc: Loc) -> tuple[int, str | None]:
        """Return the line of a place, or of the nearest place above it, and the text there if it is a single value."""
        steps = list(self._steps(loc))
        if not steps:
            return _line_of(self.node), None
        line, node = steps[-1]
        return line, node.value if len(steps) == len(loc) and isinstance(node, yaml.ScalarNode) else None


def _line_of(node: yaml.Node) -> int:
    """Return the line of a node, from 1."""
    return int(node.start_mark.line) + 1


def _text(path: Path) -> str:
    """Return a file's text: UTF-8 with no tabs at the margin and no control characters. Raises ConfigError."""
    if path.exists() and not path.is_file():  # a read from a pipe could wait for ever
        raise ConfigError(f"{path.name} er ikke en vanlig fil: flytt den ut av mappen med kommunefilene.")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path.name} finnes ikke i {path.parent}: skriv filen, eller rett navnet.") from None
    except OSError:
        raise ConfigError(f"{path.name} kan ikke leses: gi Dataflyt lov til å lese filen.") from None
    if len(raw) > LONGEST_FILE:
        raise ConfigError(f"{path.name} er for stor til å være en kommunefil: den skal være under 256 KiB.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        text = None
    if text is None:
        raise ConfigError(
            f"{path.name}, linje {line}: filen er ikke i UTF-8: lagre den på nytt med tegnkodingen UTF-8."
        )
    if found := re.search(r"^ *\t", text, re.MULTILINE):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError(f"{path.name}, linje {line}: linjen begynner med tabulator: bruk mellomrom til innrykk.")
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError(f"{path.name}, linje {line}: filen har et usynlig styretegn: skriv linjen på nytt (UTF-8).")
    return text


def _too_deep(text: str) -> bool:
    """Tell whether a file is nested so deeply that composing it would exhaust libyaml's stack and end the process."""
    if sum(text.count(sign) for sign in ("[", "{", "- ", "? ")) < LARGEST_DEPTH:
        return False
    depth = 0
    with contextlib.suppress(yaml.YAMLError):
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > LARGEST_DEPTH:
                return True
    return False


def _inspect(path: Path, top: yaml.Node) -> None:
    """Refuse duplicate keys, aliases and secrets, which a YAML parser would accept silently."""
    seen: set[int] = set()
    waiting: list[yaml.Node] = [top]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            raise _refused(path, node, "verdien gjentas med & og *: skriv den ut der den trengs.")
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            if _SECRET_VALUE.search(node.value):
                raise _refused(
                    path,
                    node,
                    "verdien ser ut som en hemmelighet: ta den bort herfra, legg den i tilkoblingen og bytt den ut.",
                )
        elif isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            _inspect_keys(path, node)
            waiting += [value for _, value in reversed(node.value)]


def _inspect_keys(path: Path, node: yaml.MappingNode) -> None:
    first: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            raise _refused(path, key, "feltet har ikke et vanlig navn: skriv felt: verdi.")
        name = without_secrets(key.value)
        if key.tag != "tag:yaml.org,2002:str":
            raise _refused(path, key, f'«{name}» skal være tekst: skriv "{name}" i anførselstegn.')
        if key.value in first:
            raise _refused(path, key, f"«{name}» står også på linje {first[key.value]}: ta bort den ene.")
        if _SECRET_KEY.search(key.value):
            raise _refused(path, key, f"«{name}» hører ikke hjemme i en kommunefil: legg hemmeligheter i tilkoblingen.")
        first[key.value] = _line_of(key)


def _refused(path: Path, node: yaml.Node, what: str) -> ConfigError:
    return ConfigError(f"{path.name}, linje {_line_of(node)}: {what}")


def _syntax(path: Path, text: str, error: yaml.YAMLError) -> str:
    """Return a YAML error as a Norwegian sentence."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    lines = max(1, len(text.splitlines()))
    line = min(mark.line + 1, lines) if mark else 1
    problem = f"{getattr(error, 'context', '') or ''} {getattr(error, 'problem', '') or ''}"
    for known, what, remedy in _PROBLEMS:
        if known in problem:
            return f"{path.name}, linje {line}: filen {what}: {remedy}."
    return (
        f"{path.name}, linje {line}: filen er ikke gyldig YAML her: se etter kolon, innrykk, klammer og anførselstegn."
    )


def without_secrets(value: str) -> str:
    """Return a value in a form that a sentence may show: ``…`` if it can be a secret or a person's identity number."""
    value = " ".join(value.split())
    if len(value) > 60 or re.search(r"[0-9]{11}", value) or _SECRET_VALUE.search(value):
        return "…"
    return value
