"""A file put together from pieces of another one, without a copy."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO

Piece = bytes | range
"""Bytes as they are, or those of a file at these offsets."""


class Splice:
    """What `pieces` of `file` are one after another, read-only: all that soundfile needs of a file.

    It is libsndfile that calls this, through C, where an exception would be lost with a printed
    traceback. So none is raised: what went wrong below is kept in `error`, Ctrl-C included, and
    the file ends there.
    """

    def __init__(self, file: BinaryIO, pieces: Sequence[Piece]):
        self._file, self._pieces = file, pieces
        self._ends = list(accumulate(len(piece) for piece in pieces))
        self._size = self._ends[-1] if self._ends else 0
        self._position = 0
        self.error: BaseException | None = None

    def readinto(self, buffer) -> int:
        view, done = memoryview(buffer), 0
        try:
            while done < len(view) and (data := self._next(len(view) - done)):
                view[done : done + len(data)] = data
                done += len(data)
                self._position += len(data)
        except BaseException as error:
            self.error = error
        return done

    def _next(self, size: int) -> bytes:
        index = bisect_right(self._ends, self._position)
        if index == len(self._ends):
            return b""
        piece = self._pieces[index]
        start = self._position - self._ends[index] + len(piece)
        piece = piece[start : start + size]
        if isinstance(piece, bytes):
            return piece
        self._file.seek(piece.start)
        return self._file.read(len(piece))

    def seek(self, offset: int, whence: int = 0) -> int:
        origin = (0, self._position, self._size)[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all that are left."""
        left = max(0, self._size - self._position)
        buffer = bytearray(left if size < 0 else min(size, left))
        return bytes(buffer[: self.readinto(buffer)])


def replaced(start: int, stop: int, patches: dict[int, bytes]) -> list[Piece]:
    """The pieces of a file from `start` to `stop` with other bytes at some offsets."""
    pieces: list[Piece] = []
    for offset in sorted(patches):
        pieces += [range(start, offset), patches[offset]]
        start = offset + len(patches[offset])
    return [*pieces, range(start, stop)]
