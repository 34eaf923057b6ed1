"""The command line is in Norwegian, also in Typer's own texts, and ends without a traceback."""

import re
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.testing import CliRunner, Result

from dataflyt.cli.main import app

ENGLISH = re.compile(
    r"\b(usage|options?|arguments?|commands?|args|show|this|message|exit|required|default|env var|missing|such|invalid|"
    r"value|aborted|error|try|please|install|completion|the|of|is|are|and|a|an|when|which|who|what|with|without|"
    r"from|each|every|file|folder|run|answer|none|list\[str\]|str|bool|path|yes|not|there|has|have|be|must)\b",
    re.IGNORECASE,
)
NAMES = re.compile(
    r"--[a-z-]+|\b[A-Z]+(_[A-Z]+)+\b|`[^`]*`|uid|dataflyt( quality| worklist)? show|dataflyt why missing|"
    r"\b(dataflyt( [a-z-]+){1,2}|run|account|list|value|show|missing)  "
)
"""Names of options, variables and commands, which are English because code is."""


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Return every command and group by its words."""
    yield path, command
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))


EVERY = dict(commands(typer.main.get_command(app)))
LEAVES = [words for words, command in EVERY.items() if not isinstance(command, TyperGroup)]


def invoke(words: list[str], **variables: str) -> Result:
    """Run a command line."""
    return CliRunner().invoke(app, words, prog_name="dataflyt", env=variables)


def refused(words: list[str]) -> str:
    """Return the answer to a wrong command line: one or two Norwegian lines on stderr, exit code 2."""
    said = invoke(words)
    assert (said.exit_code, said.stdout) == (2, ""), words
    lines = said.stderr.strip().splitlines()
    assert 1 <= len(lines) <= 2, said.stderr
    assert "Traceback" not in said.stderr
    assert lines[-1].endswith("--help» viser hvordan det skrives.")
    assert not ENGLISH.findall(NAMES.sub("", lines[0])), lines[0]
    return lines[0]


def test_there_are_commands_to_look_at() -> None:
    assert {("read",), ("run",), ("plan",), ("doctor",), ("account", "import"), ("feide", "check")} <= set(LEAVES)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_help_is_in_norwegian(words: tuple[str, ...]) -> None:
    shown = invoke([*words, "--help"], COLUMNS="200")
    assert shown.exit_code == 0
    assert f"Bruk: dataflyt {' '.join(words)}".rstrip() in shown.output
    assert "Vis denne teksten." in shown.output
    text = re.sub(r"Bruk: .*", "", NAMES.sub("", shown.output))
    assert not ENGLISH.findall(text), [line for line in text.splitlines() if ENGLISH.search(line)]


def test_no_option_is_for_typing_in_english_shells() -> None:
    assert "completion" not in invoke(["--help"]).output


@pytest.mark.parametrize("words", [path for path, one in EVERY.items() if isinstance(one, TyperGroup)], ids=" ".join)
def test_an_unknown_command_is_refused_in_norwegian(words: tuple[str, ...]) -> None:
    # After «quality» and «worklist» a word that is no command is a kommune.
    if words not in (("quality",), ("worklist",)):
        assert refused([*words, "finnesikke"]) == "Kommandoen «finnesikke» finnes ikke."


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_an_unknown_option_is_refused_in_norwegian(words: tuple[str, ...]) -> None:
    assert refused([*words, "--finnesikke"]) == "Valget --finnesikke finnes ikke."


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_missing_argument_and_one_too_many_are_refused_in_norwegian(words: tuple[str, ...]) -> None:
    arguments = [one for one in EVERY[words].params if isinstance(one, TyperArgument)]  # type: ignore[attr-defined]
    if any(one.required for one in arguments):
        assert re.fullmatch(r"Argumentet \S+ mangler\.", refused([*words]))
    if not any(one.nargs == -1 for one in arguments):
        given = ["1"] * len(arguments)
        options = [one for one in EVERY[words].params if isinstance(one, TyperOption) and one.required]  # type: ignore[attr-defined]
        given += [word for option in options for word in (option.opts[0], "1")]
        assert refused([*words, *given, "for", "mye"]).startswith("Det er for mange ord: «for mye»")


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_an_option_without_its_value_or_with_a_wrong_one_is_refused_in_norwegian(words: tuple[str, ...]) -> None:
    for option in EVERY[words].params:  # type: ignore[attr-defined]
        if isinstance(option, TyperOption) and option.is_flag:
            assert refused([*words, f"{option.opts[0]}=ja"]) == f"Valget {option.opts[0]} tar ingen verdi."
        elif isinstance(option, TyperOption):
            assert refused([*words, option.opts[0]]) == f"Valget {option.opts[0]} mangler verdien sin."
    if words == ("plan",):
        assert refused(["plan", "haugesund", "--run", "siste"]) == "Valget --run må være et helt tall."


def test_what_was_nearly_right_is_suggested() -> None:
    assert refused(["plann"]) == "Kommandoen «plann» finnes ikke. Mente du plan?"
    assert refused(["plan", "haugesund", "--grade"]) == "Valget --grade finnes ikke. Mente du --graded?"


def test_what_typer_may_say_in_a_later_version_is_said_in_our_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataflyt.cli import norwegian

    monkeypatch.setattr(norwegian, "_MESSAGES", {})
    assert refused(["finnesikke"]) == "Kommandoen er ikke skrevet riktig."


def test_a_group_alone_shows_its_help() -> None:
    shown = invoke(["kommune"])
    assert shown.exit_code == 2
    assert "Bruk: dataflyt kommune" in shown.output


@pytest.mark.parametrize(("typed", "answer"), [("j\n", True), ("JA\n", True), ("\n", False), ("y\nnei\n", False)])
def test_a_question_is_asked_and_answered_in_norwegian(
    typed: str, answer: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    from dataflyt.cli.norwegian import confirm

    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert confirm("Godkjenne?") is answer
    assert capsys.readouterr().out.startswith("Godkjenne? [j/N]: ")
