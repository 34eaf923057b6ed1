"""The documentation agrees with the code, and names only commands and tests that exist."""

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from dataflyt.cli.main import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_what_the_code_says_today(generate: ModuleType) -> None:
    stale = {path for path, text in generate.pages().items() if (DOCS / path).read_text(encoding="utf-8") != text}
    assert not stale, "run make docs, and commit what it writes"


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "security.md").read_text(encoding="utf-8")))
    written = {
        name
        for file in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) > 40
    assert not named - written


@pytest.mark.long
def test_every_command_that_the_documentation_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    unknown = set()
    for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        unknown |= {words for words in re.findall(r"`dataflyt((?: [a-z][a-z-]*)+)", text) if not is_command(words)}
        unknown |= {f"make {word}" for word in re.findall(r"`make ([a-z]+)", text) if word not in targets}
    assert not unknown


def test_every_sentence_that_operators_are_told_to_look_for_is_one_that_dataflyt_says() -> None:
    said = "\n".join(
        node.value
        for file in (ROOT / "include" / "dataflyt").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    page = (DOCS / "operator" / "when-it-stops.md").read_text(encoding="utf-8")
    quoted = re.findall(r"«((?:[^«»]|«[^»]*»)*)»", page)
    pieces = {piece.strip() for sentence in quoted for piece in sentence.split("…")}
    assert len(pieces) > 40
    assert not {piece for piece in pieces if piece not in said}


def is_command(words: str) -> bool:
    """Return whether these words begin with a command; its arguments may follow."""
    command = get_command(app)
    for word in words.split():
        if not isinstance(command, TyperGroup):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return True


def test_no_generated_page_holds_a_number_of_a_person(generate: ModuleType) -> None:
    assert not [path for path, text in generate.pages().items() if re.search(r"(?<!\d)\d{11}(?!\d)", text)]
