"""16-bit WAV and FLAC files, written block by block and renamed into place when complete."""

import os
import secrets
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.errors import InputError

FORMATS = {".wav": "WAV", ".flac": "FLAC"}

MAX_WAV_SAMPLES = (1 << 31) - 1024
"""16-bit samples that the 32-bit sizes of a WAV header can count."""


class Writer:
    """Context manager that writes mono 16-bit audio to `path` (.wav or .flac) at `rate` Hz.

    Blocks go to a temporary file in the same folder, which takes the final name only when the
    `with` block ends well and is removed otherwise. `samples` and `clipped` count what was
    written and how much of it went beyond full scale. Raises InputError for another extension, a
    missing folder, a folder or device in the way, no permission, NaN or no samples, a full disk.
    """

    def __init__(self, path: str | os.PathLike, rate: int = SAMPLE_RATE):
        self.path = os.fspath(path)
        self.rate = rate
        self.samples = self.clipped = 0
        suffix = Path(self.path).suffix
        if suffix.lower() not in FORMATS:
            raise InputError(
                f"{self.path}: cannot write {suffix or 'a file without extension'}; "
                "name the output .wav or .flac"
            )
        self._format = FORMATS[suffix.lower()]
        # Writing through a link keeps the link.
        self._target = Path(os.path.realpath(self.path))
        if os.path.isdir(self._target):  # pathlib's raises where a name is too long
            raise InputError(f"{self.path}: is a folder; name a file")
        if os.path.exists(self._target) and not os.path.isfile(self._target):
            raise InputError(f"{self.path}: is not a regular file; name another output")
        if not os.path.isdir(self._target.parent):
            raise InputError(f"{self.path}: folder {self._target.parent} does not exist; create it")
        self._temporary = self._target.parent / f".vqspeech-{secrets.token_hex(6)}.tmp"

    def __enter__(self) -> Self:
        try:
            # The descriptor is opened here so that the user's umask decides the permissions.
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            descriptor = os.open(self._temporary, flags, 0o666)
        except OSError as error:
            raise self._unwritable(error.strerror) from None
        try:
            self._sound = soundfile.SoundFile(
                descriptor, "w", self.rate, 1, "PCM_16", format=self._format
            )
        except soundfile.LibsndfileError as error:
            os.close(descriptor)
            self._temporary.unlink(missing_ok=True)
            raise self._unwritable(error.error_string) from None
        return self

    def _unwritable(self, reason: str) -> InputError:
        return InputError(f"{self.path}: cannot be written ({reason}); choose another place")

    def add(self, block: np.ndarray) -> None:
        """Write the next samples (float [N], full scale +-1)."""
        block = np.asarray(block)
        if block.ndim != 1:
            raise ValueError(f"expected samples [N], got shape {list(block.shape)}")
        if not np.isfinite(block).all():
            raise InputError(f"{self.path}: not written, the audio has NaN or infinite samples")
        pcm, clipped = to_int16(block)
        self.samples += len(pcm)
        self.clipped += clipped
        if self._format == "WAV" and self.samples > MAX_WAV_SAMPLES:
            raise InputError(f"{self.path}: too long for a WAV file; name the output .flac")
        try:
            self._sound.write(pcm)
        except soundfile.LibsndfileError as error:
            raise self._unwritable(error.error_string) from None

    def __exit__(self, kind, value, traceback) -> None:
        try:
            self._sound.close()
            if kind is None and not self.samples:
                raise InputError(f"{self.path}: not written, there are no samples; check the input")
            if kind is None:
                os.replace(self._temporary, self._target)
        except OSError as error:
            raise self._unwritable(error.strerror) from None
        except soundfile.LibsndfileError as error:
            raise self._unwritable(error.error_string) from None
        finally:
            self._temporary.unlink(missing_ok=True)


def to_int16(x: np.ndarray) -> tuple[np.ndarray, int]:
    """Float samples to (int16 of the same shape, number of samples clipped)."""
    scaled = np.rint(np.asarray(x) * np.float32(32767))
    clipped = int(np.count_nonzero((scaled > 32767) | (scaled < -32768)))
    return np.clip(scaled, -32768, 32767).astype(np.int16), clipped


def write(path: str | os.PathLike, x: np.ndarray, rate: int = SAMPLE_RATE) -> int:
    """Write samples `x` (float [T]) to a .wav or .flac file; the number of clipped ones.

    Raises InputError as `Writer` does.
    """
    with Writer(path, rate) as writer:
        writer.add(x)
    return writer.clipped


def clipping_message(path: str | os.PathLike, clipped: int, total: int) -> str | None:
    """One line for stderr about clipped samples, None if there are none."""
    if not clipped:
        return None
    share = 100 * clipped / total
    return f"vqspeech: {path}: {clipped} samples ({share:.2g} %) were beyond full scale and clipped"
