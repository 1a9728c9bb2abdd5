"""Short recordings in every container that can be made here: what is then damaged.

libsndfile writes most, in every sample format; ffmpeg and sox, where they are installed, what
telephones, browsers and pipes write. Some bytes are another program's business (serial numbers of
Ogg streams, dates), so the sounds of a run are kept in its folder.
"""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

SHAPES = ((16_000, 1), (8_000, 2), (48_000, 1), (44_100, 2), (22_050, 6), (11_025, 3))
"""(rate in Hz, channels) that are gone through in turn."""
LONGEST_SECONDS, LARGEST_BYTES = 0.3, 24_000
BOTH_ORDERS = ("WAV", "AIFF", "AU", "CAF", "PAF", "IRCAM", "MAT4", "MAT5")
HEADLESS = ("RAW", "SD2")
"""libsndfile's formats that no reader can know by their bytes alone."""
COMPRESSED = ("FLAC", "MP3", "OGG")
"""Containers that have few sample formats and are in every shape instead."""
SUFFIXES = {"WAVEX": "wav", "NIST": "sph", "SVX": "8svx", "IRCAM": "sf", "AIFF": "aif"}

STREAMED = {
    "WAV": ((4, 4, "little"), (40, 4, "little")),
    "AU": ((8, 4, "big"),),
    "AIFF": ((4, 4, "big"), (42, 4, "big")),
}
"""Where (offset, width, order) a header of 16-bit samples has sizes that no streaming program
knows."""
STREAMED_SIZES = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000, 0)

BY_FFMPEG = {
    "m4a": ("MP4", "-c:a aac"),
    "mp4": ("MP4", "-c:a aac -c:v mpeg4"),
    "mov": ("MP4", "-c:a pcm_s16be"),
    "3gp": ("MP4", "-c:a aac"),
    "aac": ("ADTS", "-c:a aac"),
    "webm": ("Matroska", "-ar 48000 -c:a libopus"),
    "mka": ("Matroska", "-c:a flac"),
    "mkv": ("Matroska", "-c:a pcm_s16le"),
    "wma": ("ASF", "-c:a wmav2"),
    "ac3": ("AC-3", "-c:a ac3"),
    "mp2": ("MPEG", "-c:a mp2"),
    "oga": ("Ogg FLAC", "-f ogg -c:a flac"),
    "spx": ("Ogg Speex", "-ar 16000 -c:a libspeex"),
}
"""By extension: the container, and how ffmpeg is told to write it."""
VIDEO_SUFFIXES = ("mp4",)
VIDEO = "-f lavfi -i color=size=16x16:duration=0.2"
AMR = {
    "amr": (b"#!AMR\n", b"\x3c", 31, 8_000),
    "awb": (b"#!AMR-WB\n", b"\x44", 60, 16_000),
}
"""By extension: magic, a frame's header, bytes behind it, rate. There are few encoders of AMR, but
any bits are speech."""
PIPED = (
    ("ffmpeg", "wav", "WAV", "-f wav"),
    ("ffmpeg", "flac", "FLAC", "-f flac"),
    ("ffmpeg", "au", "AU", "-f au"),
    ("ffmpeg", "caf", "CAF", "-f caf"),
    ("ffmpeg", "mp3", "MP3", "-f mp3 -q:a 5"),
    ("sox", "wav", "WAV", "-t wav"),
    ("sox", "wav", "WAV", "-b 24 -t wav"),
    ("sox", "wav", "WAV", "-c 6 -t wav"),
    ("sox", "wav", "WAV", "-e gsm-full-rate -t wav"),
    ("sox", "aiff", "AIFF", "-t aiff"),
    ("sox", "au", "AU", "-t au"),
    ("sox", "sph", "NIST", "-t sph"),
)
"""What programs write into a pipe: (program, extension, container, options)."""

MAX_PROGRAM_SECONDS = 60


@dataclass(frozen=True)
class Sound:
    """A file that is whole: its container, its extension without the dot, its bytes; what its
    header says of rate (Hz) and channels."""

    container: str
    suffix: str
    data: bytes
    rate: int
    channels: int


def all_sounds() -> list[Sound]:
    """Every one that can be made on this machine."""
    return [*_of_libsndfile(), *_of_streams(), *_of_programs()]


def kept_sounds(folder: Path) -> list[Sound]:
    """The sounds of a run, made at the first call; the very same bytes ever after."""
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for number, sound in enumerate(all_sounds()):
            words = (f"{number:03}", sound.container, str(sound.rate), str(sound.channels))
            (partial / f"{'_'.join(words)}.{sound.suffix}").write_bytes(sound.data)
        partial.rename(folder)
    sounds = []
    for path in sorted(folder.iterdir()):
        _, container, rate, channels = path.stem.split("_")
        suffix = path.suffix[1:]
        sounds.append(Sound(container, suffix, path.read_bytes(), int(rate), int(channels)))
    return sounds


def voice(seconds: float, rate: int, channels: int) -> np.ndarray:
    """Something with the level and the spectrum of a vowel, float32 [T, channels]."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal((len(t), channels))
    tones = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 9))
    return (0.15 * tones[:, None] + 0.01 * noise).astype("f4")


def written(rate: int, channels: int, container: str, subtype: str, endian: str) -> bytes:
    """A file's bytes. Raises soundfile's error where the three do not go together."""
    seconds = min(LONGEST_SECONDS, LARGEST_BYTES / (4 * rate * channels))
    buffer = io.BytesIO()
    wave = voice(seconds, rate, channels)
    soundfile.write(buffer, wave, rate, subtype, endian, container)
    return buffer.getvalue()


def _of_libsndfile() -> Iterator[Sound]:
    turn = 0
    for container in soundfile.available_formats():
        if container in HEADLESS:
            continue
        suffix = SUFFIXES.get(container, container.lower())
        for subtype in soundfile.available_subtypes(container):
            for endian in ("FILE", "BIG", "LITTLE") if container in BOTH_ORDERS else ("FILE",):
                turn += 1
                for rate, channels in SHAPES[turn % len(SHAPES) :] + SHAPES[: turn % len(SHAPES)]:
                    try:
                        data = written(rate, channels, container, subtype, endian)
                        with soundfile.SoundFile(io.BytesIO(data)) as file:
                            shape = file.samplerate, file.channels
                    except (soundfile.LibsndfileError, ValueError, TypeError):
                        continue  # another shape may do
                    yield Sound(container, suffix, data, *shape)
                    if container not in COMPRESSED:
                        break


def _of_streams() -> Iterator[Sound]:
    """Headers of 16-bit samples as programs leave them that write into a pipe."""
    for container, places in STREAMED.items():
        data = written(16_000, 1, container, "PCM_16", "FILE")
        for size in STREAMED_SIZES:
            changed = bytearray(data)
            for offset, width, order in places:
                changed[offset : offset + width] = size.to_bytes(width, order)
            yield Sound(
                container, SUFFIXES.get(container, container.lower()), bytes(changed), 16_000, 1
            )


def _of_programs() -> Iterator[Sound]:
    noise = np.random.default_rng(0)
    for suffix, (magic, head, size, rate) in AMR.items():
        yield Sound(
            "AMR", suffix, magic + b"".join(head + noise.bytes(size) for _ in range(12)), rate, 1
        )
    plain = written(16_000, 1, "WAV", "PCM_16", "FILE")
    for program, suffix, container, options in PIPED:
        if shutil.which(program):
            begin = "ffmpeg -v error -i -" if program == "ffmpeg" else "sox -V1 -t wav -"
            data = _output(f"{begin} {options} -", plain)
            if data:
                yield Sound(container, suffix, data, 16_000, 1)
    if shutil.which("ffmpeg"):
        for suffix in BY_FFMPEG:
            yield from _of_ffmpeg(suffix, plain)


def _of_ffmpeg(suffix: str, plain: bytes) -> Iterator[Sound]:
    """Its files, written by name: most of these containers cannot be written into a pipe."""
    container, options = BY_FFMPEG[suffix]
    video = VIDEO if suffix in VIDEO_SUFFIXES else ""
    for rate, channels in ((16_000, 1), (44_100, 2)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"sound.{suffix}")
            shape = f"-ar {rate} -ac {channels} -t 0.2"
            _output(f"ffmpeg -v error {video} -i - {shape} {options} {path}", plain)
            if path.exists() and path.stat().st_size:
                yield Sound(container, suffix, path.read_bytes(), rate, channels)


def _output(command: str, data: bytes) -> bytes:
    """What a program makes of `data`; nothing where it lacks the encoder."""
    done = subprocess.run(
        command.split(), input=data, capture_output=True, timeout=MAX_PROGRAM_SECONDS
    )
    return done.stdout if done.returncode == 0 else b""
