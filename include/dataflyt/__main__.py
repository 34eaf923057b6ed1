"""``dataflyt``: the program. Ctrl-C is silent while it starts, and a sentence from then on."""

import signal
import sys
import warnings


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # importing takes half a second, and would answer with a traceback
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries' warnings are for their maintainers
    from dataflyt.cli import terminal
    from dataflyt.cli.main import app
    from dataflyt.storage import private

    private.close()

    sys.unraisablehook = terminal.interrupt_again
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        app(prog_name="dataflyt")
    except KeyboardInterrupt:  # outside the command itself, which prints a longer sentence
        sys.exit(terminal.INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python is on its way out


if __name__ == "__main__":
    main()
