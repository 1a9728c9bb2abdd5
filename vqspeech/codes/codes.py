"""Codes: what the encoder makes and the decoder needs."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vqspeech.arguments import plain_array, real, shown, whole
from vqspeech.audio.signal import SAMPLE_RATE, frames_for
from vqspeech.errors import InputError, named
from vqspeech.files import check_target, written

MAX_CODEBOOK = 1 << 16
"""Codes that a uint16 can name."""

MAX_FRAMES = 1 << 28
"""Longest file of codes: 62 days at 50 codes/s, 512 MB of uint16."""

MOST_CODEBOOKS = 2
"""That frames of any model take in turn."""

MOST_LEVELS = 8
"""Of any model: codes of a frame, each of which says what those before it leave unsaid."""

LARGEST = 1 << 62
MAX_BITRATE = 1e9
"""More than any model has."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Code indices of one recording.

    indices: uint16 [F] (other whole numbers are converted) or, of several levels, [levels, F].
    samples: length of the recording at 16 kHz, so F = ceil(samples / hop). hop: samples a frame.
    model: name of the model that made them, None if unknown. codebooks: how many the frames take in
    turn, the first one's turn first: where codes can be cut; the default is right for every model.
    voice: float32 [S], the speaker vector of whoever speaks, as `model` knows it: what
    `Codec.decode` decodes them with where it is told no speaker; None if not known. size: of a
    codebook, None if not known. Raises InputError if these do not fit together.

    `codes[a:b]` are codes too, `Codes.join` puts codes one behind the other, and `codes.at(500)`
    are those of a lower rate: the first level says most, each further one what is left.
    """

    indices: np.ndarray
    samples: int
    hop: int
    model: str | None = None
    codebooks: int = MOST_CODEBOOKS
    voice: np.ndarray | None = None
    size: int | None = None

    def __post_init__(self):
        indices = plain_array("codes", self.indices)
        indices = indices[0] if indices.ndim == 2 and len(indices) == 1 else indices
        levels = len(indices) if indices.ndim == 2 else 1
        if indices.ndim not in (1, 2) or indices.dtype.kind not in "iu" or levels > MOST_LEVELS:
            raise InputError(
                f"codes must be whole numbers [F], or [levels, F] of up to {MOST_LEVELS} levels, "
                f"not {indices.dtype} {list(indices.shape)}; give one recording's indices"
            )
        for name, low in (("samples", 0), ("hop", 1), ("codebooks", 1)):
            object.__setattr__(self, name, whole(name, getattr(self, name), low, LARGEST))
        if self.size is not None:
            object.__setattr__(self, "size", whole("size", self.size, 2, MAX_CODEBOOK))
        frames = indices.shape[-1]
        if not frames or not levels or frames_for(self.samples, self.hop) != frames:
            raise InputError(
                f"{frames} codes of {self.hop} samples do not make {self.samples} samples; "
                "give ceil(samples / hop) codes, at least one"
            )
        check_range("codes", indices, MAX_CODEBOOK)
        object.__setattr__(self, "indices", indices.astype(np.uint16))
        if self.voice is not None:
            object.__setattr__(self, "voice", self._checked_voice())

    def _checked_voice(self) -> np.ndarray:
        vector = plain_array("voice", self.voice)
        numbers = vector.dtype.kind in "iuf" and vector.ndim == 1
        with np.errstate(over="ignore"):
            vector = vector.astype(np.float32) if numbers else vector
        if self.model is None or not numbers or not np.isfinite(vector).all():
            raise InputError("a voice must be finite numbers [S], and the model named that has it")
        return vector

    @property
    def rate(self) -> int:
        """Sampling rate of the speech in Hz: 16,000 for every model."""
        return SAMPLE_RATE

    @property
    def frames(self) -> int:
        """Number of codes of a level."""
        return self.indices.shape[-1]

    @property
    def levels(self) -> int:
        """Number of codes of a frame."""
        return len(self.by_level)

    @property
    def by_level(self) -> np.ndarray:
        """The indices as [levels, F], of one level too."""
        return np.atleast_2d(self.indices)

    @property
    def seconds(self) -> float:
        """Duration of the recording."""
        return self.samples / self.rate

    def bits_per_second(self, codebook_size: int) -> float:
        """bit/s of plain indices into `codebook_size` codes: log2, rounded up, for each code."""
        return self.levels * self.rate / self.hop * (codebook_size - 1).bit_length()

    def at(self, bitrate: float) -> "Codes":
        """These codes at a lower rate: as many levels as fit into `bitrate` bit/s, plain indices
        counted. Nothing is decoded. Raises InputError where not one fits, or where the codes do not
        know the size of a codebook."""
        if self.size is None:
            raise InputError(
                "these codes do not say how many codes a codebook has, so no bit/s; take them from "
                "a codec (codec.as_codes), or cut levels with codes.first(levels)"
            )
        one = self.bits_per_second(self.size) / self.levels
        return self.first(min(levels_within(bitrate, one), self.levels))

    def first(self, levels: int) -> "Codes":
        """The first `levels` of them; the others are left out. Raises InputError for none, or for
        more than there are."""
        levels = whole("levels", levels, 1, self.levels)
        return replace(self, indices=self.by_level[:levels])

    def __len__(self) -> int:
        return self.frames

    def __iter__(self) -> Iterator:
        """Frame by frame: whole numbers or, of several levels, arrays [levels, 1], the parts that
        `decode_stream` takes."""
        several = self.indices.ndim > 1
        return iter(self.indices.T[..., None] if several else self.indices.tolist())

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """The indices, for NumPy."""
        return np.array(self.indices, dtype or np.uint16)

    def __getitem__(self, part: slice | int) -> "Codes":
        """The codes of frames a to b: `codes[a:b]`.

        `a` must be a turn of the first codebook (a multiple of `codebooks`), or all that follows
        would be looked up in the wrong ones. Raises InputError.
        """
        try:
            if not isinstance(part, slice):
                raise TypeError
            start, stop, step = part.indices(self.frames)
        except TypeError:
            raise InputError(
                f"codes are cut at whole frames, as in codes[100:200], not {shown(part)}; "
                "codes.indices is the plain array"
            ) from None
        if step != 1 or start >= stop:
            wrong = "leaves some out" if step != 1 else "leaves none"
            raise InputError(f"codes[{_text(part)}] of {self.frames} {wrong}; cut out a stretch")
        if start % self.codebooks:
            before = start - start % self.codebooks
            raise InputError(
                f"codes cannot be cut at frame {start}: {self.codebooks} codebooks take turns, so "
                f"cut at {before} or {before + self.codebooks}, or with codes.cut(seconds, seconds)"
            )
        samples = min(self.samples, stop * self.hop) - start * self.hop
        return replace(self, indices=self.indices[..., start:stop], samples=samples)

    def cut(self, start: float = 0.0, end: float | None = None) -> "Codes":
        """From `start` to `end` (None: the end) in seconds, each moved to the nearest place where
        codes can be cut. Raises InputError where nothing is left."""
        first = self._place(real("start", start, 0, self.seconds))
        last = self.frames
        if end is not None and (end := real("end", end, 0, float("inf"))) < self.seconds:
            last = self._place(end)
        if first >= last:
            raise InputError(
                f"{shown(start)} to {shown(end)} s leaves no codes; they are "
                f"{self.codebooks * self.hop / self.rate:g} s apart where they can be cut"
            )
        return self[first:last]

    def _place(self, seconds: float) -> int:
        """The frame nearest to `seconds` that is a turn of the first codebook."""
        return round(seconds * self.rate / self.hop / self.codebooks) * self.codebooks

    @staticmethod
    def join(parts: Iterable["Codes"]) -> "Codes":
        """Codes one behind the other, of one model.

        Each part but the last counts whole rounds of the codebooks: one that ends within a round
        (of two codebooks: has an odd number of codes) is filled up with its last code of each
        codebook that is missing, and its last code's samples are whole. The voice stays
        where all have the same. Raises InputError.
        """
        several = isinstance(parts, Iterable) and not isinstance(parts, Codes)
        parts = list(parts) if several else []
        if not parts or not all(isinstance(part, Codes) for part in parts):
            raise InputError("Codes.join takes a list of Codes, and at least one")
        first = parts[0]
        models = {part.model for part in parts if part.model is not None}
        if len({part.levels for part in parts}) > 1:
            least = min(part.levels for part in parts)
            raise InputError(
                "codes of different numbers of levels cannot be joined; cut them to the same, as "
                f"in codes.first({least})"
            )
        if len(models) > 1 or any(part.hop != first.hop for part in parts):
            raise InputError(
                "codes of different models cannot be joined "
                f"({', '.join(sorted(models)) if len(models) > 1 else 'their hops differ'}); "
                "encode all with one"
            )
        books = max(part.codebooks for part in parts)
        pieces = []
        for number, part in enumerate(parts[:-1]):
            with named(f"part {number}"):
                pieces.append(_filled(part.indices, books))
        before = sum(piece.shape[-1] for piece in pieces)
        indices = np.concatenate([*pieces, parts[-1].indices], -1)
        samples = before * first.hop + parts[-1].samples
        model = first.model if all(part.model == first.model for part in parts) else None
        voice = first.voice if model is not None and _one_voice(parts) else None
        size = first.size if all(part.size == first.size for part in parts) else None
        return Codes(indices, samples, first.hop, model, books, voice, size)

    def save_npy(self, path: str | os.PathLike | BinaryIO) -> None:
        """Write the indices to `path` (.npy, or a binary file object), whole or not at all.

        The file knows frames only: `samples` is lost unless it is a multiple of `hop`. Raises
        InputError as `check_npy_target` does, and if the disk is full.
        """
        with written(path, check_npy_target) as file:
            np.save(file, self.indices, allow_pickle=False)


def _filled(indices: np.ndarray, books: int) -> np.ndarray:
    """Indices [..., F] and, behind them, what completes the last round of `books` codebooks."""
    frames = indices.shape[-1]
    missing = -frames % books
    if missing and frames < books:
        raise InputError(f"has {frames} codes of {books} codebooks; join longer ones")
    return np.concatenate([indices, indices[..., frames - books :][..., :missing]], -1)


def _one_voice(parts: list[Codes]) -> bool:
    """Whether all are in the voice of the first, which is known."""
    voices = [part.voice for part in parts]
    return voices[0] is not None and all(
        voice is not None and np.array_equal(voice, voices[0]) for voice in voices
    )


def _text(part: slice) -> str:
    """A slice as it is written."""
    ends = [part.start, part.stop, *([] if part.step is None else [part.step])]
    return ":".join("" if end is None else str(end) for end in ends)


def levels_within(bitrate: float, one: float) -> int:
    """How many levels, of `one` bit/s each, fit into `bitrate`, which may be given as it is
    printed, in six digits. Raises InputError for none."""
    rate = real("bitrate", bitrate, 0, MAX_BITRATE)
    if not (levels := int(rate / one * (1 + 1e-5))):
        raise InputError(f"{rate:g} bit/s is less than the first level alone takes: {one:g}")
    return levels


def check_npy_target(path: str | os.PathLike) -> Path:
    """The real path that `save_npy` would write. Raises InputError as `files.check_target` does."""
    return check_target(path, (".npy",), "codes")


def check_range(name: str, indices: np.ndarray, codebook_size: int, first: int = 0) -> None:
    """Require every index [..., F] to lie in the codebook; `first` is the frame of its first."""
    low, high = int(indices.min()), int(indices.max())
    if low >= 0 and high < codebook_size:
        return
    bad = low if low < 0 else high
    frame = first + int(np.argwhere(indices == bad)[0, -1])
    raise InputError(
        f"{name}: frame {frame} has code {bad}, the model's codes are 0 to {codebook_size - 1}; "
        "use the model that made the file"
    )
