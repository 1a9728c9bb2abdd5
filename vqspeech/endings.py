"""What ends a process from outside. Light: the first thing that the program loads."""

import signal
import sys
from contextlib import suppress

ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that end a program: Ctrl-C, what `kill` sends, the terminal that closes."""
_PR_SET_PDEATHSIG = 1


def signal_parents_end(number: int) -> None:
    """Have the system send this process a signal when its parent ends, also if it is busy in
    compiled code. Linux only; elsewhere nothing happens."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
