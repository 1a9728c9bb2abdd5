"""Codes of a recording as they become known, before its end is. NumPy only."""

from collections.abc import Generator, Iterator
from typing import Self

import numpy as np


class CodeStream(Iterator[np.ndarray]):
    """An iterator of index arrays, uint16 [n] each, which all together are one recording's.

    samples: the recording's length at 16 kHz; None until the stream has ended.
    """

    def __init__(self, parts: Generator[np.ndarray, None, int]):
        """parts: the arrays; what it returns at its end are the samples."""
        self._parts, self.samples = parts, None

    samples: int | None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> np.ndarray:
        try:
            return next(self._parts)
        except StopIteration as end:
            if self.samples is None:  # the second time there is no value
                self.samples = end.value
            raise
