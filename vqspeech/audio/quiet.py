"""Keeps libraries written in C from printing.

libmpg123 complains of damaged MP3 on stderr, libsndfile of damaged SDS on stdout, where codes may
be on their way. Neither can be told to be silent, but both print through the C library's streams.
Those lead to /dev/null while such a library is at work; Python's own and the descriptors stay.
"""

import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Streams:
    """The C library's variables `stdout` and `stderr`, and how many calls want them silent."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._variables: list[ctypes.c_void_p] = []
        self._own: list[int | None] = []
        if platform.libc_ver()[0] != "glibc":
            return  # where they may be constants
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        self._nowhere = library.fopen(os.fsencode(os.devnull), b"we")
        if self._nowhere:
            names = ("stdout", "stderr")
            self._variables = [ctypes.c_void_p.in_dll(library, name) for name in names]

    def hold(self) -> None:
        with self._lock:
            if self._users == 0:
                self._own = [variable.value for variable in self._variables]
                for variable in self._variables:
                    variable.value = self._nowhere
            self._users += 1

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                for variable, value in zip(self._variables, self._own, strict=True):
                    variable.value = value


_streams = _Streams()


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Within it nothing is printed by C code, whichever thread it runs in; elsewhere than on Linux
    with glibc nothing changes."""
    _streams.hold()
    try:
        yield
    finally:
        _streams.release()
