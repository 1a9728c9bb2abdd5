"""Recordings as callers give them: arrays of any kind and shape that can only be meant one way."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from vqspeech.arguments import is_path, plain_array, shown, whole
from vqspeech.audio.channels import Average
from vqspeech.audio.sounds import HIGHEST_RATE, LOWEST_RATE
from vqspeech.errors import InputError, warn_of

MOST_CHANNELS = 32
"""In [T, channels]."""
MOST_CHANNELS_FIRST = 2
"""In [channels, T]; more rows than these may be so many recordings."""
MOST_HELD = 1000
"""Short blocks of a stream that wait for one that tells which axis the channels are."""
KINDS = "float in [-1, 1], int16, int32 (full scale 2^31) or uint8 (silence 128)"
MOST_OF_INT16 = 32768
WHOLE = "the recording"
NARROW = "the recording is int32, but its samples reach only {} of 2^31; give it as int16"


def as_rate(rate: Any) -> int:
    """A sampling rate in Hz, of any type of number. Raises InputError."""
    return whole("rate", rate, LOWEST_RATE, HIGHEST_RATE, "Hz")


def as_mono(wave: Any) -> np.ndarray:
    """A recording to float32 [T], its channels averaged.

    wave: [T], [T, channels], or [1, T] or [2, T], as torchaudio gives them: an array, list or
    tensor, float, or int16, int32 and uint8 as files have them. Raises InputError for other
    shapes and types, no samples, NaN and infinity.
    """
    given = _by_sample(_given(wave))
    if 0 < (peak := _peak(given)) <= MOST_OF_INT16:
        raise InputError(NARROW.format(peak))
    average = Average()
    mono = _mean(given, average)
    average.tell(WHOLE)
    return mono


def as_monos(blocks: Iterable[Any]) -> Iterator[np.ndarray]:
    """The parts of one recording, each as `as_mono` takes a whole one, to float32 [T]; empty ones
    are left out. Warns where all were int32 with the samples of int16: any of them might be a
    pause. Raises InputError."""
    peak, average = 0, Average()
    for part in _all_by_sample(given for given in map(_given, blocks) if given.size):
        peak = max(peak, _peak(part))
        yield _mean(part, average)
    if 0 < peak <= MOST_OF_INT16:
        warn_of(NARROW.format(peak))
    average.tell(WHOLE)


def _peak(wave: np.ndarray) -> int:
    """Of int32, the largest magnitude; 0 for other types."""
    if (wave.dtype.kind, wave.itemsize) != ("i", 4):
        return 0
    return max(int(wave.max()), -int(wave.min()))


def _given(wave: Any) -> np.ndarray:
    """What somebody gave for a recording, as an array. Raises InputError."""
    if isinstance(wave, bytes | bytearray):
        raise InputError("the recording is bytes; give numpy.frombuffer(data, numpy.int16)")
    if is_path(wave):
        raise InputError(
            f"the recording is the name {shown(wave)}; give its samples, or the name to "
            "encode_file or convert_file"
        )
    if isinstance(wave, tuple) and len(wave) == 2 and np.ndim(wave[1]) == 0 and np.ndim(wave[0]):
        raise InputError(
            "the recording is a pair (samples, rate); give them as two arguments, as in "
            "encode(*soundfile.read(path))"
        )
    given = plain_array("the recording", wave)
    if given.ndim == 0:
        raise InputError(f"a recording must be an array of samples [T], not {shown(wave)}")
    return given


def _mean(wave: np.ndarray, average: Average) -> np.ndarray:
    """[T] or [T, channels] to float32 [T]. Raises InputError."""
    with np.errstate(over="ignore"):  # of a float64 beyond float32, which is refused below
        found = _scaled(wave)
    found = average(found) if found.ndim == 2 else found
    if not np.isfinite(found).all():
        raise InputError("the recording has NaN or infinite samples; repair it first")
    return found


def _by_sample(wave: np.ndarray) -> np.ndarray:
    """[T] or [T, channels] of what may be [channels, T]. Raises InputError."""
    if wave.size == 0:
        raise InputError(f"the recording has no samples ({list(wave.shape)}); give at least one")
    if wave.ndim == 1 or (wave.size == 1 and wave.ndim == 2):
        return wave.reshape(-1)
    rows, columns = wave.shape if wave.ndim == 2 else (0, 0)
    if columns <= MOST_CHANNELS and rows > columns:
        return wave
    if rows <= MOST_CHANNELS_FIRST and columns > MOST_CHANNELS:
        return wave.T
    raise InputError(
        f"a recording must be [T], [T, channels] or [1 or 2, T], not {list(wave.shape)}; give one "
        "recording, and a list of them to encode_many or convert_many"
    )


def _all_by_sample(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """`_by_sample` of the parts of one recording. Which axis the channels are, parts say that are
    long enough, for all; what comes before them is held back. Raises InputError."""
    axis = channels = 0
    held: list[np.ndarray] = []

    def turned(part: np.ndarray) -> np.ndarray:
        if part.ndim == 2 and part.shape[axis] == channels:
            return part if axis else part.T
        return _by_sample(part)

    for part in parts:
        if not channels and _is_unclear(part) and len(held) < MOST_HELD:
            held.append(part)
            continue
        found = turned(part)
        if found.ndim == 2 and not channels:
            axis, channels = int(found.shape == part.shape), found.shape[1]
        yield from map(turned, held)
        held.clear()
        yield found
    yield from map(turned, held)


def _is_unclear(wave: np.ndarray) -> bool:
    """Whether either axis of a short block may be its channels."""
    if wave.ndim != 2 or wave.size == 1:
        return False
    rows, columns = wave.shape
    return columns <= MOST_CHANNELS and rows <= max(columns, MOST_CHANNELS_FIRST)


def _scaled(wave: np.ndarray) -> np.ndarray:
    """The same samples, float32 in [-1, 1] but for floats beyond it. Raises InputError."""
    kind, size = wave.dtype.kind, wave.dtype.itemsize
    if kind == "f":
        return wave.astype(np.float32)
    if (kind, size) == ("i", 2):
        return wave.astype(np.float32) / 32768
    if (kind, size) == ("u", 1):
        return (wave.astype(np.float32) - 128) / 128
    if (kind, size) != ("i", 4):
        raise InputError(f"a recording must be {KINDS}, not {wave.dtype}; convert it")
    return (wave / 2.0**31).astype(np.float32)
