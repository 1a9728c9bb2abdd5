"""Codes: what the encoder makes and the decoder needs."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqspeech.audio.signal import SAMPLE_RATE, frames_for
from vqspeech.errors import InputError
from vqspeech.files import check_target, output_file

MAX_CODEBOOK = 1 << 16
"""Codes that a uint16 can name."""

MAX_FRAMES = 1 << 28
"""Longest file of codes: 62 days at 50 codes/s, 512 MB of uint16."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Code indices of one recording.

    indices: uint16 [F] (other whole numbers are converted). samples: length of the recording at
    16 kHz, so F = ceil(samples / hop). hop: samples a code. model: name of the model that made
    them, None if unknown. Raises InputError if these do not fit together.
    """

    indices: np.ndarray
    samples: int
    hop: int
    model: str | None = None

    def __post_init__(self):
        indices = np.asarray(self.indices)
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise InputError(
                f"codes must be whole numbers [F], not {indices.dtype} {list(indices.shape)}; "
                "give one recording's indices"
            )
        if self.hop < 1 or not len(indices) or frames_for(self.samples, self.hop) != len(indices):
            raise InputError(
                f"{len(indices)} codes of {self.hop} samples do not make {self.samples} samples; "
                "give ceil(samples / hop) codes, at least one"
            )
        check_range("codes", indices, MAX_CODEBOOK)
        object.__setattr__(self, "indices", indices.astype(np.uint16))

    @property
    def rate(self) -> int:
        """Sampling rate of the speech in Hz: 16,000 for every model."""
        return SAMPLE_RATE

    @property
    def frames(self) -> int:
        """Number of codes."""
        return len(self.indices)

    @property
    def seconds(self) -> float:
        """Duration of the recording."""
        return self.samples / self.rate

    def bits_per_second(self, codebook_size: int) -> float:
        """bit/s of plain indices into `codebook_size` codes: log2, rounded up, for each frame."""
        return self.rate / self.hop * (codebook_size - 1).bit_length()

    def save_npy(self, path: str | os.PathLike) -> None:
        """Write the indices to `path` (.npy), whole or not at all.

        The file knows frames only: `samples` is lost unless it is a multiple of `hop`. Raises
        InputError as `check_npy_target` does, and if the disk is full.
        """
        with output_file(path, check_npy_target(path)) as file:
            np.save(file, self.indices, allow_pickle=False)


def check_npy_target(path: str | os.PathLike) -> Path:
    """The real path that `save_npy` would write. Raises InputError as `files.check_target` does."""
    return check_target(path, (".npy",), "codes")


def check_range(name: str, indices: np.ndarray, codebook_size: int, first: int = 0) -> None:
    """Require every index to lie in the codebook; `first` is the frame of indices[0]."""
    low, high = int(indices.min()), int(indices.max())
    if low >= 0 and high < codebook_size:
        return
    bad = low if low < 0 else high
    frame = first + int(np.argmax(indices == bad))
    raise InputError(
        f"{name}: frame {frame} has code {bad}, the model's codes are 0 to {codebook_size - 1}; "
        "use the model that made the file"
    )
