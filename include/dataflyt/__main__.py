"""``dataflyt``: the program. Ctrl-C is silent while it starts, and a sentence from then on."""

import signal
import sys
import threading
import warnings


def interrupt_again(swallowed: "sys.UnraisableHookArgs") -> None:
    """Raise a Ctrl-C anew that came where Python could only report it: in a destructor or a library's own callback."""
    if issubclass(swallowed.exc_type, KeyboardInterrupt):
        # Raised in here it would be swallowed too. A signal of its own wakes a main thread that waits for an answer.
        threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(swallowed)


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # importing takes half a second, and would answer with a traceback
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries' warnings are for their maintainers
    from dataflyt.cli import terminal
    from dataflyt.cli.main import app
    from dataflyt.storage import private

    private.close()

    sys.unraisablehook = interrupt_again
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        app(prog_name="dataflyt")
    except KeyboardInterrupt:  # outside the command itself, which prints a longer sentence
        sys.exit(terminal.INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python is on its way out


if __name__ == "__main__":
    main()
