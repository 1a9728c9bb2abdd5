"""Audio files to 16 kHz mono float32, in bounded memory. Writing is in `audio.writing`."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from vqspeech.audio.channels import Average
from vqspeech.audio.level import SpeechMeter
from vqspeech.audio.resampling import resample_blocks
from vqspeech.audio.sounds import as_mono, no_samples, opened_sound, tell_channels
from vqspeech.audio.source import Source, name_of

MAX_BLOCK_VALUES = 1 << 22
"""Samples x channels read at once, so that odd rates and channel counts cannot take memory."""


@dataclass(frozen=True)
class Probe:
    """What a file's header says. `frames` is None where the header does not know its length."""

    rate: int
    channels: int
    frames: int | None
    format: str

    @property
    def seconds(self) -> float | None:
        return None if self.frames is None else self.frames / self.rate


def _native_blocks(
    source: Source, block_seconds: float, quiet: bool
) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks (float32 mono [N], rate) at the file's own rate; every check but the resampling."""
    name = name_of(source)
    with opened_sound(source) as sound:
        if not quiet:
            tell_channels(name, sound.channels)
        size, total, average = round(sound.rate * block_seconds), 0, Average()
        for block in sound.blocks(max(1, min(size, MAX_BLOCK_VALUES // sound.channels))):
            total += len(block)
            yield as_mono(block, name, average), sound.rate
        if not total:
            raise no_samples(name)
        if not quiet:
            average.tell(name)


def read_blocks(
    source: Source, block_seconds: float = 10.0, quiet: bool = False
) -> Iterator[np.ndarray]:
    """Read any file that libsndfile knows as blocks of 16 kHz mono float32 [N].

    Memory does not grow with the file. Channels are averaged (said once on stderr unless `quiet`);
    samples beyond +-1 of float files stay. All blocks together have exactly
    `resampled_length(frames, rate)` samples. Raises InputError: missing, folder, empty, not
    audio, no samples, cut off, NaN or infinite samples, no permission.
    """
    native = _native_blocks(source, block_seconds, quiet)
    first, rate = next(native)
    yield from resample_blocks(chain([first], (block for block, _ in native)), rate)


def read(source: Source, quiet: bool = False) -> np.ndarray:
    """The whole file as 16 kHz mono float32 [T]; see `read_blocks`."""
    return np.concatenate(list(read_blocks(source, quiet=quiet)))


def probe(source: Source) -> Probe:
    """Rate, channels, frames and format from the file's header. Raises InputError."""
    with opened_sound(source) as sound:
        return Probe(sound.rate, sound.channels, sound.frames, sound.format)


def duration(source: Source) -> float:
    """Seconds of audio; counted where the header does not know. Raises InputError."""
    seconds = probe(source).seconds
    if seconds is None:
        seconds = sum(len(block) / rate for block, rate in _native_blocks(source, 10.0, True))
    return seconds


def measure_level(source: Source) -> SpeechMeter:
    """A meter that has heard the whole file, as the encoder hears it, in bounded memory.

    Raises InputError as `read_blocks` does.
    """
    return SpeechMeter(read_blocks(source, quiet=True))
