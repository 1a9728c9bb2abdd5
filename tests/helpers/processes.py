"""Processes that work for ever, and which are still there (Linux)."""

import os
import time
from pathlib import Path

PATIENCE_SECONDS = 30
"""An ending process closes its files before it is gone, and the machine may be busy."""


def have_ended(pids: list[int]) -> bool:
    """Whether all of these processes end of themselves."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while any(map(is_alive, pids)) and time.monotonic() < limit:
        time.sleep(0.01)
    return not any(map(is_alive, pids))


def is_alive(pid: int) -> bool:
    """Whether a process is there, and no zombie that only waits to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def busy(how: str) -> None:
    """Says who it is, and works for ever: with the interpreter's lock ("compiled"), or without."""
    os.write(1, b"%d\n" % os.getpid())  # at once, or lines of two would run into one another
    if how == "compiled":
        sum(range(10**14))
    time.sleep(1000)
