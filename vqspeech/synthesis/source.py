"""Where the decoder takes its codes from: a recording's, or a stream's as they come."""

from collections.abc import Callable, Iterable

import numpy as np

from vqspeech.arguments import plain_array
from vqspeech.audio.signal import samples_for
from vqspeech.codes.codes import Codes, check_range
from vqspeech.codes.stream import CodeStream
from vqspeech.errors import InputError


class CodeSource:
    """Codes read once from front to back, and no further than they are asked for.

    levels: codes of a frame; None before the first has come. frames: how many have come. samples:
    of the recording at 16 kHz, once all have come, else None.
    """

    def __init__(
        self,
        parts: Iterable,
        hop: int,
        codebook_size: int,
        check: Callable[[Codes], object] = lambda codes: None,
    ):
        """parts: index arrays, lists or single numbers; a `CodeStream`'s samples are heeded. check:
        called with parts that are `Codes`, to refuse those of another model.

        Raises InputError for what is no iterator.
        """
        try:
            self._parts = iter(parts)
        except TypeError:
            raise InputError(
                f"a stream of codes must be an iterator of index arrays, not {type(parts).__name__}"
            ) from None
        self._hop, self._size, self._check = hop, codebook_size, check
        self._stream = parts if isinstance(parts, CodeStream) else None
        self._held, self._first = np.zeros(0, np.uint16), 0
        self.frames, self.samples, self.levels = 0, None, None

    samples: int | None
    levels: int | None

    @classmethod
    def of(cls, codes: "Codes | CodeSource") -> "CodeSource":
        """The source itself, or one of a whole recording's codes."""
        if isinstance(codes, CodeSource):
            return codes
        source = cls((), codes.hop, 0)
        source._held, source.frames, source.samples = codes.indices, codes.frames, codes.samples
        source.levels = codes.levels
        return source

    def window(self, left: int, end: int) -> np.ndarray:
        """Codes uint16, [n] or [levels, n], of frames left to `end`, or to the last. What is before
        them is forgotten.

        Waits for the frames that have not come. Raises InputError for what is no code.
        """
        self._held, self._first = self._held[..., left - self._first :], left
        new = []
        while self.samples is None and self.frames < end:
            if (part := next(self._parts, None)) is None:
                self._end()
            else:
                new.append(self._checked(part))
                self.frames += new[-1].shape[-1]
        if new:
            held = [self._held] if self._held.shape[-1] else []
            self._held = np.concatenate([*held, *new], -1)
        return self._held[..., : end - left]

    def _end(self) -> None:
        if not self.frames:
            raise InputError("the stream has no codes; check what feeds it")
        self.samples = samples_for(self.frames, self._hop)
        if self._stream is not None and self._stream.samples is not None:
            self.samples = self._stream.samples

    def _checked(self, part) -> np.ndarray:
        if isinstance(part, Codes):
            self._check(part)
        indices = np.atleast_1d(plain_array("a part of the stream", part))
        levels = len(indices) if indices.ndim == 2 else 1
        numbers = not indices.size or indices.dtype.kind in "iu"
        if indices.ndim > 2 or not levels or not numbers:
            raise InputError(
                f"a stream of codes must be whole numbers or arrays [n] or [levels, n] of them, "
                f"not {indices.dtype} {list(indices.shape)}"
            )
        if self.levels not in (None, levels):
            raise InputError(
                f"a stream of codes of {self.levels} levels goes on with {levels}; give as many in "
                "every part"
            )
        self.levels = levels
        if indices.size:
            check_range("the stream", indices, self._size, self.frames)
        return (indices[0] if indices.ndim == 2 and levels == 1 else indices).astype(np.uint16)
