"""stdin, stdout and stderr of a command line, which may be closed, full, or read by nobody.

What goes to stderr is lost then, and the work goes on; results that stdout does not take are an
error. A closed one is held by the null device, or the next file that is opened would take its place
and get what libraries print.
"""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from vqspeech.errors import InputError
from vqspeech.files import reason

HELD = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))
"""Descriptors, and how the null device takes their place: what is written to a closed stdout is
refused."""


@contextmanager
def standard_streams() -> Iterator[None]:
    """Inside of the block `sys.stdout` and `sys.stderr` are there, and fail as said above."""
    for descriptor, mode in HELD:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free
    before = sys.stdout, sys.stderr
    sys.stdout = _Watched(_opened(sys.stdout, 1), _refuse)
    sys.stderr = _Watched(_opened(sys.stderr, 2), lambda error: None)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _opened(stream: Any, descriptor: int) -> Any:
    if stream is None:  # Python found it closed
        stream = open(descriptor, "w", closefd=False)  # noqa: SIM115 (until the process ends)
    # A file or speaker name that the terminal's encoding lacks must not end the program.
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _refuse(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        raise error
    raise InputError(
        f"standard output: cannot be written ({reason(error)}); send it elsewhere"
    ) from None


class _Watched:
    """A text stream; what is to be done if it cannot be written is `failed`'s business."""

    def __init__(self, stream: Any, failed: Callable[[OSError], None]):
        self._stream, self._failed = stream, failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._attempt(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, call: Callable, *arguments: Any) -> None:
        try:
            call(*arguments)
        except OSError as error:
            # What is still buffered would fail again when the interpreter closes.
            with suppress(OSError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)
            self._failed(error)
