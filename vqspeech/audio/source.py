"""What a recording can be read from: a path, or an open binary file."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from vqspeech.errors import InputError
from vqspeech.files import opened, reason

Source = str | os.PathLike | BinaryIO
"""A path, or anything with `read` and `seek` that was opened for bytes: a file, io.BytesIO."""


def name_of(source: Source) -> str:
    """What messages call it."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else f"<{type(source).__name__}>"


def is_on_disk(file: BinaryIO) -> bool:
    """Whether the descriptor of an open file gives the very bytes that `file` gives."""
    return isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO)


@contextmanager
def opened_source(source: Source) -> Iterator[tuple[BinaryIO, int]]:
    """An audio file, open and seekable, and its size in bytes.

    A file that was open already is read from its beginning and stays open. Raises InputError: as
    `opened`, and for a file opened as text, closed, not readable or not seekable, and for what is
    neither path nor file.
    """
    if isinstance(source, str | os.PathLike):
        with opened(source, "an audio file") as file:
            yield file, os.fstat(file.fileno()).st_size
        return
    try:
        size = _size(source)
        if size == 0:
            raise InputError(f"{name_of(source)}: is empty (0 bytes); make or copy it again")
        yield source, size
    except OSError as error:
        raise _unreadable(source, error) from None


def _size(file: BinaryIO) -> int:
    """Bytes of a file that somebody has opened. Raises InputError, OSError."""
    name = name_of(file)
    if not hasattr(file, "read"):
        raise InputError(
            f"{type(file).__name__}: is neither a path nor an open file; give a path, a file "
            "opened with mode 'rb', or io.BytesIO"
        )
    try:
        if not isinstance(file.read(0), bytes):
            raise InputError(f"{name}: is open as text; open it with mode 'rb'")
        if hasattr(file, "seekable") and file.seekable():
            return file.seek(0, os.SEEK_END)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise _unreadable(file, error) from None
    raise InputError(f"{name}: can be read only once; read it into io.BytesIO first, or save it")


def _unreadable(source: Source, error: Exception) -> InputError:
    return InputError(f"{name_of(source)}: cannot be read ({reason(error)}); open it again")
