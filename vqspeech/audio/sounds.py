"""Open recordings: what libsndfile reads of a file, part by part, or ffmpeg where it cannot."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import BinaryIO, Protocol

import numpy as np
import soundfile

from vqspeech.audio import ffmpeg
from vqspeech.audio.channels import Average
from vqspeech.audio.parts import LENGTH_SLACK, Part, find_parts
from vqspeech.audio.quiet import quiet_libraries
from vqspeech.audio.source import Source, is_on_disk, name_of, opened_source
from vqspeech.audio.splicing import Splice
from vqspeech.errors import InputError
from vqspeech.notices import notify

LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000
"""Sampling rates in Hz between which a file can be a recording of sound."""

MAX_PARTS = 1_000
"""Recordings in one file; one with more of them is not a recording."""


class Sound(Protocol):
    """An open recording. `frames` is None where the header does not know its length."""

    rate: int
    channels: int
    frames: int | None
    format: str

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Blocks of float32 [n, channels], 0 < n <= `frames`, once. Raises InputError."""
        ...


class _NotSoundError(Exception):
    """libsndfile cannot open it."""


class _Part(soundfile.SoundFile):
    """A part of a file, read once from front to back."""

    def __init__(self, file: BinaryIO, size: int, part: Part):
        """Raises _NotSoundError, and what reading `file` raises."""
        self._splice = Splice(file, part.pieces)
        try:
            with quiet_libraries():
                if part.pieces == (range(size),) and is_on_disk(file):
                    os.lseek(file.fileno(), 0, os.SEEK_SET)
                    super().__init__(file.fileno(), closefd=False)  # which needs no Python to read
                else:
                    super().__init__(self._splice)  # pyright: ignore[reportArgumentType] (no more)
        except (soundfile.LibsndfileError, TypeError, ValueError):
            self._check()
            raise _NotSoundError from None

    def seekable(self) -> bool:
        # soundfile seeks after every read of a seekable file; that fails where the header does not
        # know the length (FLAC from a pipe), and is slow and inexact in MP3.
        return False

    def block(self, frames: int) -> np.ndarray:
        """The next samples, float32 [n, channels]. Raises LibsndfileError, and what reading the
        file raises."""
        try:
            with quiet_libraries():
                return self.read(frames, dtype="float32", always_2d=True)
        finally:
            self._check()

    @property
    def declared(self) -> int | None:
        """Samples that the header declares; libsndfile says 2^63 - 1 where it does not."""
        return self.frames if 0 <= self.frames < 1 << 62 else None

    @property
    def least_bytes(self) -> int:
        """Bytes that as many plain samples as declared take at least; 0 for compressed ones."""
        plain = self.subtype.startswith("PCM_") and self.format != "FLAC"
        return (self.declared or 0) * self.channels if plain else 0

    def _check(self) -> None:
        if self._splice.error is not None:
            raise self._splice.error


class _Parts:
    """The recordings that a file holds, one after another, read by libsndfile."""

    def __init__(self, name: str, file: BinaryIO, size: int, parts: list[Part]):
        """Raises _NotSoundError, InputError."""
        self._name, self._file, self._size, self._parts = name, file, size, parts
        with self._opened(parts[0]) as sound:
            self.rate, self.channels = sound.samplerate, sound.channels
            self.format: str = f"{sound.format}/{sound.subtype}"
            lengths = [sound.declared]
        for part in parts[1:]:
            with self._next(part) as sound:
                lengths.append(sound.declared)
        known = [length for length in lengths if length is not None]
        self.frames: int | None = sum(known) if len(known) == len(lengths) else None

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        for part in self._parts:
            with self._next(part) as sound:
                yield from self._blocks(part, sound, frames)

    def _blocks(self, part: Part, sound: _Part, frames: int) -> Iterator[np.ndarray]:
        total, rate = 0, sound.samplerate
        frames = max(1, frames * self.channels // sound.channels)
        while True:
            try:
                block = sound.block(frames)
            except soundfile.LibsndfileError:
                raise cut_off(self._name, f"after {total / rate:.1f} s") from None
            if not len(block):
                break
            total += len(block)
            yield block
        declared = part.samples or sound.declared
        slack = LENGTH_SLACK * (declared or 0) if "MPEG" in sound.subtype else 0
        if declared is not None and total < declared - slack:
            detail = f"{total / rate:.1f} s of {declared / rate:.1f} s"
            raise cut_off(self._name, detail)

    @contextmanager
    def _next(self, part: Part) -> Iterator[_Part]:
        try:
            with self._opened(part) as sound:
                if sound.samplerate != self.rate:
                    raise InputError(
                        f"{self._name}: holds recordings of {self.rate} and {sound.samplerate} Hz; "
                        f"split it at byte {part.start}"
                    )
                yield sound
        except _NotSoundError:
            raise cut_off(self._name, f"no sound from byte {part.start} on") from None

    @contextmanager
    def _opened(self, part: Part) -> Iterator[_Part]:
        """A part as libsndfile opens it. Raises _NotSoundError, InputError."""
        with _Part(self._file, self._size, part) as sound:
            check_rate(self._name, sound.samplerate)
            size = sum(map(len, part.pieces))
            if sound.least_bytes > size:  # libsndfile would read zeros (SDS)
                raise cut_off(self._name, f"{size} bytes for {sound.declared} samples")
            yield sound


@contextmanager
def opened_sound(source: Source) -> Iterator[Sound]:
    """The recording in a file: all its parts, one after another. Raises InputError."""
    name = name_of(source)
    with opened_source(source) as (file, size), ExitStack() as stack:
        parts = _whole_parts(name, list(islice(find_parts(file, size), MAX_PARTS + 1)))
        try:
            sound = _Parts(name, file, size, parts)
        except _NotSoundError:
            if not ffmpeg.available():
                raise InputError(
                    f"{name}: is not audio that libsndfile can read; {ffmpeg.ADVICE}, or convert "
                    "it to WAV or FLAC"
                ) from None
            sound = stack.enter_context(ffmpeg.decoded(name, file, size))
            check_rate(name, sound.rate)
        yield sound


def _whole_parts(name: str, parts: list[Part]) -> list[Part]:
    """The parts that have samples, if they can be read as one recording. Raises InputError."""
    if len(parts) > MAX_PARTS:
        raise InputError(f"{name}: holds over {MAX_PARTS} recordings; split it")
    for part in parts:
        if part.kind != parts[0].kind:
            raise InputError(
                f"{name}: holds {parts[0].kind} and, from byte {part.start} on, {part.kind}; split "
                "it there"
            )
    if all(part.empty for part in parts):
        raise no_samples(name)
    for part in parts:
        if part.problem:
            raise cut_off(name, part.problem)
    return [part for part in parts if not part.empty]


def check_rate(name: str, rate: int) -> None:
    """Raise InputError unless `rate` Hz can be that of a recording."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InputError(
            f"{name}: declares {rate} Hz, outside {LOWEST_RATE} to {HIGHEST_RATE}; its header is "
            "damaged, convert it again"
        )


def as_mono(block: np.ndarray, name: str, average: Average) -> np.ndarray:
    """A block of float32 [n, channels], its channels averaged: [n]. Raises InputError for NaN and
    infinity."""
    mono = average(block)
    if not np.isfinite(mono).all():
        raise InputError(f"{name}: has NaN or infinite samples; export it again")
    return mono


def tell_channels(name: str, channels: int) -> None:
    """Say once that a recording of several channels is averaged."""
    if channels > 1:
        notify(f"{name} has {channels} channels, averaged to mono")


def no_samples(name: str) -> InputError:
    """What to raise where a file holds nothing to hear."""
    return InputError(f"{name}: has a header but no samples; record or copy it again")


def cut_off(name: str, detail: str) -> InputError:
    """What to raise where a file has lost a part."""
    return InputError(f"{name}: is cut off or damaged ({detail}); copy or convert it again")
