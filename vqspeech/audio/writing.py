"""16-bit WAV and FLAC files, written block by block and renamed into place when complete."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

from vqspeech.arguments import plain_array, whole
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.audio.sounds import HIGHEST_RATE
from vqspeech.errors import InputError
from vqspeech.files import check_target, output_file, unwritable

FORMATS = {".wav": "WAV", ".flac": "FLAC"}

SOFTWARE = "vqspeech"
"""What the file says of who made it (ISFT in WAV, `software` in FLAC), so that it can be told from
a recording."""

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
        self._target = check_target(path, tuple(FORMATS), "an audio file")
        self.path = os.fspath(path)
        self.rate = whole("rate", rate, 1, HIGHEST_RATE, "Hz")
        self.samples = self.clipped = 0
        self._format = FORMATS[Path(self.path).suffix.lower()]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            file = stack.enter_context(output_file(self.path, self._target))
            # By its descriptor: a file that libsndfile creates does not heed the user's umask.
            what = (file.fileno(), "w", self.rate, 1, "PCM_16")
            try:
                self._sound = soundfile.SoundFile(*what, format=self._format, closefd=False)
                self._sound.software = SOFTWARE
            except soundfile.LibsndfileError as error:
                raise unwritable(self.path, error) from None
            stack.push(self._close)
            self._exits = stack.pop_all()
        return self

    def __exit__(self, kind, value, traceback) -> None:
        self._exits.__exit__(kind, value, traceback)

    def _close(self, kind, value, traceback) -> None:
        try:
            self._sound.close()
        except soundfile.LibsndfileError as error:
            raise unwritable(self.path, error) from None
        if kind is None and not self.samples:
            raise InputError(f"{self.path}: not written, there are no samples; check the input")

    def add(self, block: np.ndarray) -> None:
        """Write the next samples (float [N], full scale +-1)."""
        block = plain_array("the audio", block)
        if block.ndim != 1 or block.dtype.kind != "f":
            raise InputError(
                f"{self.path}: not written, samples must be floats [N] within +-1, not "
                f"{block.dtype} {list(block.shape)}; int16 ones are to be divided by 32768"
            )
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
            raise unwritable(self.path, error) from None


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
