"""The command line in Norwegian: Typer's words in help, errors and prompts, and the end of a command.

Typer speaks only English, and keeps its words in several places: constants of ``rich_utils``, methods of its command
classes, messages of its exceptions. ``App`` replaces them all. An unknown message is replaced by a general Norwegian
one, so that a new version of Typer brings no English back.
"""

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import typer
from typer import rich_utils
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from dataflyt.cli import terminal
from dataflyt.cli.terminal import echo
from dataflyt.errors import DataflytError

rich_utils.ARGUMENTS_PANEL_TITLE = "Argumenter"
rich_utils.OPTIONS_PANEL_TITLE = "Valg"
rich_utils.COMMANDS_PANEL_TITLE = "Kommandoer"
rich_utils.DEFAULT_STRING = "[ellers: {}]"
rich_utils.ENVVAR_STRING = "[miljøvariabel: {}]"
rich_utils.REQUIRED_LONG_STRING = "[må være med]"

_TYPES = {"<str>": "<tekst>", "<int>": "<tall>", "<path>": "<fil>", "<list[str]>": "<tekst>", "<bool>": None}
"""The Norwegian name of each value type, as help shows it. A switch has none."""

_MESSAGES = {
    r"No such command '(.*?)'\.(?: Did you mean (.*)\?)?": "Kommandoen «{}» finnes ikke",
    r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)": "Det er for mange ord: «{}» hører ikke hjemme her",
    r"Missing command\.": "Hvilken kommando?",
}


class _InNorwegian:
    """The common part of a command and a group of commands."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the line that shows how the command is written."""
        pieces = self.collect_usage_pieces(ctx)  # type: ignore[attr-defined]
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix="Bruk: ")

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option ``--help``."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.help = "Vis denne teksten."
        return option

    def get_params(self, ctx: Any) -> Any:
        """Return the arguments and options, with Norwegian names of their types."""
        params = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if isinstance(param, TyperArgument) or (isinstance(param, TyperOption) and not param.metavar):
                shown = param.display_type(ctx)
                in_norwegian = _TYPES.get(shown, shown)
                param.display_type_rich = lambda ctx, shown=in_norwegian: shown  # type: ignore[method-assign,misc]
        return params


class Command(_InNorwegian, TyperCommand):
    """A command."""


class Group(_InNorwegian, TyperGroup):
    """A group of commands, and the whole command line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and exit with its code. An error prints one sentence or nothing."""
        work = partial(super().main, args, prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return work()
        terminal.prepare()
        sys.exit(_ended(work))


class ShowsAKommune(Group):
    """A group whose command ``show`` may be left out: ``dataflyt quality haugesund``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``show`` first where the first word is no command."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["show", *args]
        return super().parse_args(ctx, args)


class App(typer.Typer):
    """``typer.Typer`` in Norwegian."""

    def __init__(self, help: str) -> None:
        super().__init__(
            cls=Group,
            help=help,
            no_args_is_help=True,
            add_completion=False,  # its two options and their texts are English
            pretty_exceptions_enable=False,
            rich_markup_mode="markdown",  # paragraphs of the docstrings flow
            options_metavar="[VALG]",
            subcommand_metavar="KOMMANDO [ORD]...",
        )

    def command(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        """Register a command."""
        return super().command(name, cls=Command, options_metavar="[VALG]", **more)


def confirm(question: str) -> bool:
    """Ask a question in the terminal until the answer is yes or no. An empty answer is no."""
    while True:
        answer = input(f"{question} [j/N]: ").strip().lower()
        if answer in ("j", "ja"):
            return True
        if answer in ("", "n", "nei"):
            return False
        echo("Skriv j for ja eller n for nei.")


def ask(question: str) -> str:
    """Ask for a word in the terminal until there is one."""
    while True:
        if answer := input(f"{question}: ").strip():
            return answer


def _ended(work: Callable[[], Any]) -> int:
    """Do the work and return its exit code."""
    try:
        code = work()
        terminal.flush()
    except typer.Abort:  # the terminal was closed where a question was asked
        terminal.say("Avbrutt.")
        return 1
    except typer.TyperException as error:
        if said := wrong_use(error):
            terminal.say(said)
        return 2
    except DataflytError as error:
        terminal.say(error.sentence)
        return 2
    except BrokenPipeError:
        terminal.forget_output()
        return 1
    except KeyboardInterrupt:
        code = terminal.INTERRUPTED
    except Exception as error:
        terminal.say(terminal.sentence_of(error))
        if isinstance(error, OSError):
            terminal.forget_output()
        return 2
    if code == terminal.INTERRUPTED:
        terminal.say("\nAvbrutt.")
    return code if isinstance(code, int) else 0


def wrong_use(error: typer.TyperException) -> str:
    """Return a sentence on the fault in a command line and on where its help is; "" when help was shown instead.

    Typer's exceptions are told apart by their names, as Typer does itself: their module is not public.
    """
    kind = type(error).__name__
    if kind == "NoArgsIsHelpError":
        return ""
    said = _SAID.get(kind, _other)(error)
    path = getattr(getattr(error, "ctx", None), "command_path", "dataflyt")
    return f"{said.rstrip('.?')}{'?' if said.endswith('?') else '.'}\n«{path} --help» viser hvordan det skrives."


def _no_such_option(error: Any) -> str:
    said = f"Valget {error.option_name} finnes ikke"
    return f"{said}. Mente du {' eller '.join(sorted(error.possibilities))}?" if error.possibilities else said


def _bad_option(error: Any) -> str:
    wanted = "tar ingen verdi" if "does not take" in error.message else "mangler verdien sin"
    return f"Valget {error.option_name} {wanted}"


def _missing(error: Any) -> str:
    return f"{_name(error.param)} mangler"


def _bad_value(error: Any) -> str:
    wanted = "har en verdi som ikke kan brukes"
    if "integer" in error.message:
        wanted = "må være et helt tall"
    elif "%Y-%m-%d" in error.message:
        wanted = "må være en dato, skrevet som 2026-12-18"
    return f"{_name(error.param)} {wanted}"


def _name(param: Any) -> str:
    if isinstance(param, TyperOption):
        return f"Valget {'/'.join(param.opts)}"
    return f"Argumentet {param.display_name_raw}" if isinstance(param, TyperArgument) else "Noe"


def _other(error: Any) -> str:
    for pattern, sentence in _MESSAGES.items():
        if found := re.fullmatch(pattern, error.message):
            said = sentence.format(*found.groups())
            near = found[2] if found.re.groups == 2 else None
            return f"{said}. Mente du {near.replace(chr(39), '').replace(' or ', ' eller ')}?" if near else said
    return "Kommandoen er ikke skrevet riktig"


_SAID: dict[str, Callable[[Any], str]] = {
    "NoSuchOption": _no_such_option,
    "BadOptionUsage": _bad_option,
    "MissingParameter": _missing,
    "BadParameter": _bad_value,
}
