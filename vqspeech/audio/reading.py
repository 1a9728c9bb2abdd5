"""Audio files to 16 kHz mono float32, in bounded memory. Writing is in `audio.writing`."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np
import soundfile
import soxr

from vqspeech.audio.headers import PatchedFile, check_size
from vqspeech.audio.level import LevelMeter
from vqspeech.audio.signal import SAMPLE_RATE, resampled_length
from vqspeech.errors import InputError
from vqspeech.files import file_size, opened
from vqspeech.notices import notify

LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000
"""Sampling rates in Hz between which a file can be a recording of sound."""

MAX_BLOCK_VALUES = 1 << 22
"""Samples x channels read at once, so that odd rates and channel counts cannot take memory."""

MP3_LENGTH_SLACK = 0.05
"""An MP3 header's length is a hint: only a file shorter by more than this share was cut off."""


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


class _Stream(soundfile.SoundFile):
    """A file read once from front to back.

    soundfile seeks after every read of a seekable file; that fails where the header does not know
    the length (FLAC from a pipe), and is slow and inexact in MP3.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _open(path: str | os.PathLike) -> Iterator[_Stream]:
    """The open sound file, its size checked against its header. Raises InputError."""
    with opened(path, "an audio file", buffering=0) as file:
        check = check_size(file, file_size(file))
        if check.empty:
            raise _no_samples(path)
        if check.missing:
            raise _truncated(path, f"{check.missing} bytes of what its header declares are missing")
        file.seek(0)
        try:
            if check.patch:
                patched = PatchedFile(file, *check.patch)
                sound = _Stream(patched)  # pyright: ignore[reportArgumentType] (wants no more)
            else:
                sound = _Stream(file.fileno(), closefd=False)
        except (soundfile.LibsndfileError, TypeError, ValueError):
            raise InputError(
                f"{path}: is not audio that libsndfile can read; convert it to WAV or FLAC"
            ) from None
        with sound:
            if not LOWEST_RATE <= sound.samplerate <= HIGHEST_RATE:
                raise InputError(
                    f"{path}: declares {sound.samplerate} Hz, outside {LOWEST_RATE} to "
                    f"{HIGHEST_RATE}; its header is damaged, convert it again"
                )
            yield sound


def _no_samples(path) -> InputError:
    return InputError(f"{path}: has a header but no samples; record or copy it again")


def _truncated(path, detail: str) -> InputError:
    return InputError(f"{path}: is cut off or damaged ({detail}); copy or convert it again")


def _declared_frames(sound: soundfile.SoundFile) -> int | None:
    # libsndfile says 2^63 - 1 where it does not know.
    return sound.frames if 0 <= sound.frames < 1 << 62 else None


def _native_blocks(path, block_seconds: float, quiet: bool) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks (float32 mono [N], rate) at the file's own rate; every check but the resampling."""
    with _open(path) as sound:
        rate, channels = sound.samplerate, sound.channels
        if channels > 1 and not quiet:
            notify(f"{path} has {channels} channels, averaged to mono")
        frames = max(1, min(round(rate * block_seconds), MAX_BLOCK_VALUES // channels))
        total = 0
        while True:
            try:
                block = sound.read(frames, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                raise _truncated(path, f"after {total / rate:.1f} s") from None
            if not len(block):
                break
            total += len(block)
            with np.errstate(over="ignore", invalid="ignore"):
                mono = block[:, 0] if channels == 1 else block.mean(axis=1, dtype=np.float32)
            if not np.isfinite(mono).all():
                raise InputError(f"{path}: has NaN or infinite samples; export it again")
            yield mono, rate
        _check_total(path, sound, total)


def _check_total(path, sound: soundfile.SoundFile, total: int) -> None:
    declared = _declared_frames(sound)
    if declared is not None and total < declared:
        slack = MP3_LENGTH_SLACK * declared if sound.format == "MP3" else 0
        if declared - total > slack:
            rate = sound.samplerate
            raise _truncated(path, f"{total / rate:.1f} s of {declared / rate:.1f} s")
    if total == 0:
        raise _no_samples(path)


def read_blocks(
    path: str | os.PathLike, block_seconds: float = 10.0, quiet: bool = False
) -> Iterator[np.ndarray]:
    """Read any file that libsndfile knows as blocks of 16 kHz mono float32 [N].

    Memory does not grow with the file. Channels are averaged (said once on stderr unless `quiet`);
    samples beyond +-1 of float files stay. All blocks together have exactly
    `resampled_length(frames, rate)` samples. Raises InputError: missing, folder, empty, not
    audio, no samples, cut off, NaN or infinite samples, no permission.
    """
    native = _native_blocks(path, block_seconds, quiet)
    first, rate = next(native)
    yield from resample_blocks(chain([first], (block for block, _ in native)), rate)


def resample_blocks(blocks: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """Blocks of one recording at `rate` Hz to blocks at 16 kHz, float32.

    All together they have exactly `resampled_length(samples, rate)` samples.
    """
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    frames = written = 0
    for block in blocks:
        frames += len(block)
        out = resampler.resample_chunk(block)
        written += len(out)
        if len(out):
            yield out
    # The silence after the end, long enough that the last sample counted by ceil() exists.
    silence = np.zeros(rate // SAMPLE_RATE + 2, np.float32)
    tail = [resampler.resample_chunk(silence), resampler.resample_chunk(silence[:0], last=True)]
    missing = resampled_length(frames, rate) - written
    tail = np.concatenate(tail)[:missing]
    yield np.pad(tail, (0, missing - len(tail)))


def read(path: str | os.PathLike, quiet: bool = False) -> np.ndarray:
    """The whole file as 16 kHz mono float32 [T]; see `read_blocks`."""
    return np.concatenate(list(read_blocks(path, quiet=quiet)))


def probe(path: str | os.PathLike) -> Probe:
    """Rate, channels, frames and format from the file's header. Raises InputError."""
    with _open(path) as sound:
        frames = _declared_frames(sound)
        return Probe(sound.samplerate, sound.channels, frames, f"{sound.format}/{sound.subtype}")


def duration(path: str | os.PathLike) -> float:
    """Seconds of audio; counted where the header does not know. Raises InputError."""
    seconds = probe(path).seconds
    if seconds is None:
        seconds = sum(len(block) / rate for block, rate in _native_blocks(path, 10.0, True))
    return seconds


def measure_level(path: str | os.PathLike) -> LevelMeter:
    """A LevelMeter that has heard the whole file at its own rate: no resampling, bounded memory.

    Raises InputError as `read_blocks` does.
    """
    meter = LevelMeter(probe(path).rate)
    for block, _ in _native_blocks(path, 10.0, True):
        meter.add(block)
    return meter
