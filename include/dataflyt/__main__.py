"""``dataflyt``: the program. Ctrl-C is silent while it starts, and a sentence from then on."""

import signal


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # importing takes half a second, and would answer with a traceback
    from dataflyt.cli import app

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app(prog_name="dataflyt")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python is on its way out


if __name__ == "__main__":
    main()
