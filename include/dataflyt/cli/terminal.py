"""A command whose terminal is closed, whose disk is full or whose user interrupts it prints one sentence or nothing.

For ``dataflyt`` and ``supervisor`` alike, and without Typer. No traceback is shown: it may quote a row.
"""

import codecs
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

from dataflyt.errors import known_refusal

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the number of the signal, as shells have it."""

_ASCII = {
    **{"æ": "ae", "ø": "o", "å": "a", "Æ": "AE", "Ø": "O", "Å": "A", "é": "e", "ü": "u", "ö": "o", "ä": "a"},
    **{"«": '"', "»": '"', "…": "...", "–": "-", "—": "-", "’": "'", "•": "*", "→": "->", "►": ">", "·": "."},
    **{"\u00a0": " ", "\u2009": " ", "\u202f": " "},
}


def prepare() -> None:
    """Let an ASCII terminal show the nearest letters to the Norwegian ones, instead of failing."""
    codecs.register_error("dataflyt", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):  # not a stream of Python's own, or closed
            stream.reconfigure(errors="dataflyt")  # type: ignore[union-attr]


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def interrupt_again(swallowed: "sys.UnraisableHookArgs") -> None:
    """Raise a Ctrl-C anew that came where Python could only report it: in a destructor or a library's own callback."""
    if issubclass(swallowed.exc_type, KeyboardInterrupt):
        signal_soon(signal.SIGINT)
    else:
        sys.__unraisablehook__(swallowed)


def signal_soon(number: int) -> None:
    """Send the main thread a signal in a moment: raised where an exception is swallowed, another one would be too.

    A signal wakes a main thread that waits for an answer.
    """
    threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, number)).start()


def echo(line: str, *, err: bool = False) -> None:
    """Write a line at once. Typer's own writes UTF-8 to a terminal that only knows ASCII."""
    print(line, file=sys.stderr if err else sys.stdout, flush=True)


def say(sentence: str) -> None:
    """Write a sentence to stderr, if it is open."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()


def flush() -> None:
    """Write what is buffered. Raises OSError; without this, Python would only warn of it at exit."""
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def forget_output() -> None:
    """Keep Python from writing the buffer at exit, when the disk is full or nobody reads."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def sentence_of(error: BaseException) -> str:
    """Return an unexpected error in words: the machine's refusal, or the line of ours that raised it."""
    if isinstance(error, OSError) and (why := known_refusal(error)):
        what = f"{os.fsdecode(error.filename)} kan ikke brukes" if error.filename else "Noe kunne ikke skrives"
        return f"{what}: {why}."
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(Path(__file__).parents[2])]
    place = f" i {Path(ours[-1].filename).name}, linje {ours[-1].lineno}" if ours else ""
    return f"Uventet feil ({type(error).__name__}{place}): si fra til en dataingeniør."
