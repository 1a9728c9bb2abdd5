"""What ends a process from outside. Light: the first thing that the program loads."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that end a program: Ctrl-C, what `kill` sends, the terminal that closes."""
AGAIN_SECONDS = 2.0
"""Signals that come closer together are one wish: a launcher passes on to its processes what the
terminal has sent these too."""
_PR_SET_PDEATHSIG = 1


def signal_parents_end(number: int) -> None:
    """Have the system send this process a signal when its parent ends, also if it is busy in
    compiled code. Linux only; elsewhere nothing happens."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


class _FirstWish:
    """Called at each signal: whether it still belongs to the first wish to end."""

    _since: float | None = None

    def __call__(self) -> bool:
        now = time.monotonic()
        if self._since is None:
            self._since = now
        return now - self._since < AGAIN_SECONDS


class PutOff:
    """While entered, the first ENDING signal only makes `wanted` true, so that what is under way
    can be kept; it acts once the block is left. Another one, later on, acts at once.

    An exception that leaves the block goes on in the signal's place. Does nothing outside the main
    thread, and to signals that are ignored. told: called when the first one has come.
    """

    current: "PutOff | None" = None
    """The one that is entered."""

    def __init__(self, told: Callable[[], None]):
        self._told = told
        self._number: int | None = None
        self._before = {}
        self._noted = _FirstWish()
        self.hears_first = _FirstWish()
        """The same for who hears a signal in another thread, maybe before its handler can run."""

    @property
    def wanted(self) -> bool:
        """Whether a signal has come."""
        return self._number is not None

    def __enter__(self) -> "PutOff":
        if threading.current_thread() is threading.main_thread():
            PutOff.current = self
            for number in ENDING:
                before = signal.getsignal(number)
                if before is not None and before != signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(self, kind: object, *_) -> None:
        self._put_back()
        if kind is None and self._number is not None:
            signal.raise_signal(self._number)

    def _note(self, number: int, frame: object) -> None:
        if not self._noted():
            self._put_back()
            signal.raise_signal(number)
        elif self._number is None:
            self._number = number
            self._told()

    def _put_back(self) -> None:
        PutOff.current = None
        while self._before:
            signal.signal(*self._before.popitem())
