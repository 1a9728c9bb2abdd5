"""`vqspeech`, and `python -m vqspeech` for an interpreter whose scripts are not on the PATH."""

import signal
import sys


def main() -> int:
    """Run the process's command line; returns the exit status."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        # Until the program has its own handlers, Ctrl-C shall not show where it was.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from vqspeech.cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
