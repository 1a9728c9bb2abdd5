"""Codes of a recording as they become known, before its end is. NumPy only."""

from collections.abc import Callable, Generator, Iterator
from typing import Self

import numpy as np


class CodeStream(Iterator[np.ndarray]):
    """An iterator of index arrays, uint16 [n] each, or [levels, n] of several levels, which all
    together are one recording's.

    samples: the recording's length at 16 kHz; None until the stream has ended. model: name of the
    model that made them, None if unknown.
    """

    def __init__(
        self,
        parts: Generator[np.ndarray, None, int],
        tell: Callable[[], np.ndarray | None] | None = None,
        levels: int = 1,
        model: str | None = None,
    ):
        """parts: the arrays; what it returns at its end are the samples. tell: whose voice it is,
        once the first of them has come; None where nobody listens for it. levels: codes of a
        frame. model: as of `Codes`."""
        self.levels, self.model = levels, model
        self._parts, self._tell = parts, tell
        self._first, self._voice = None, None
        self.samples = None

    samples: int | None
    _first: np.ndarray | None
    _voice: np.ndarray | None

    @property
    def voice(self) -> np.ndarray | None:
        """The speaker vector of whoever speaks, float32 [S], or None where it is not known; waits
        for the first codes."""
        if self._tell is not None:
            if self._first is None and self.samples is None:
                self._first = next(self, None)  # what `next` gives then
            self._voice, self._tell = self._tell(), None
        return self._voice

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> np.ndarray:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            return next(self._parts)
        except StopIteration as end:
            if self.samples is None:  # the second time there is no value
                self.samples = end.value
            raise
