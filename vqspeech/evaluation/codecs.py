"""Other people's codecs on the same recordings, by their own programs where these are installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from vqspeech.audio.level import level_gain
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.errors import InputError

TIMEOUT_SECONDS = 120.0
"""Per program and recording (of a minute at most); they need less than a second."""

TAIL_SECONDS, FRAME_SECONDS = 0.12, 0.04
"""Silence after the recording, to a whole number of every codec's frames: delay and incomplete
frames lose nothing, and bits are counted over the time that they stand for."""

_OGG_PAGE_BYTES = 27
_OGG_HEADER_PACKETS = 2


class OtherCodec(NamedTuple):
    """name: as a method. package: Debian's. rate: in Hz, of the 16-bit samples that both programs
    read and write. encode, decode: command lines, from IN to CODED to OUT. coded_bits: of a coded
    file, without its container."""

    name: str
    heading: str
    package: str
    rate: int
    encode: str
    decode: str
    coded_bits: Callable[[bytes], int]

    @property
    def programs(self) -> tuple[str, str]:
        return self.encode.split()[0], self.decode.split()[0]


class Coded(NamedTuple):
    """What came back: float32 [T] at 16 kHz, delayed by the codec; bits of the codes and of the
    whole file; seconds that were coded."""

    wave: np.ndarray
    coded_bits: int
    file_bits: int
    seconds: float


def ogg_packets(data: bytes) -> list[int]:
    """Sizes in bytes of the packets of an Ogg file of one stream, headers included (RFC 3533)."""
    sizes, size, at = [], 0, 0
    while at + _OGG_PAGE_BYTES <= len(data) and data[at : at + 4] == b"OggS":
        start = at + _OGG_PAGE_BYTES
        segments = data[start : start + data[start - 1]]
        for segment in segments:
            size += segment
            if segment < 255:  # a full segment says that the packet goes on
                sizes.append(size)
                size = 0
        at = start + len(segments) + sum(segments)
    return sizes


def _codec2(mode: str, bits: int) -> OtherCodec:
    stored = -(-bits // 8)  # c2enc fills every frame up to whole bytes
    return OtherCodec(
        f"codec2-{mode.lower()}",
        f"Codec2 {mode}",
        "codec2",
        8_000,
        f"c2enc {mode} IN CODED",
        f"c2dec {mode} CODED OUT",
        lambda data: len(data) // stored * bits,
    )


_SPEEX_FRAME_BITS = 43
"""Of 20 ms at narrow-band quality 0: the 2,150 bit/s that `speexenc -V` tells."""

CODECS = (
    _codec2("700C", 28),
    _codec2("1300", 52),
    _codec2("3200", 64),
    OtherCodec(
        "speex-2150",
        "Speex 2.15",
        "speex",
        8_000,
        "speexenc --narrowband --rate 8000 --quality 0 IN CODED",
        "speexdec CODED OUT",
        lambda data: len(ogg_packets(data)[_OGG_HEADER_PACKETS:]) * _SPEEX_FRAME_BITS,
    ),
    OtherCodec(
        "opus-6000",
        "Opus 6",
        "opus-tools",
        16_000,
        "opusenc --quiet --bitrate 6 --padding 0 --raw --raw-rate 16000 --raw-chan 1 IN CODED",
        "opusdec --quiet --no-dither --rate 16000 CODED OUT",
        lambda data: 8 * sum(ogg_packets(data)[_OGG_HEADER_PACKETS:]),
    ),
)

BY_NAME = {codec.name: codec for codec in CODECS}


def absent(codec: OtherCodec) -> str | None:
    """A line that says which programs are not installed; None if all are."""
    missing = [program for program in codec.programs if shutil.which(program) is None]
    if not missing:
        return None
    return (
        f"{codec.heading} was left out: {' and '.join(missing)} not installed "
        f"(Debian package {codec.package})"
    )


def through(codec: OtherCodec, wave: np.ndarray) -> Coded:
    """`wave` (float32 [T] at 16 kHz) coded and decoded by the programs of `codec`.

    At the nominal level of active speech, which they are made for. Raises InputError if a program
    fails, hangs or writes nothing.
    """
    frames = np.ceil((len(wave) / SAMPLE_RATE + TAIL_SECONDS) / FRAME_SECONDS)
    tail = np.zeros(round(frames * FRAME_SECONDS * SAMPLE_RATE) - len(wave), np.float32)
    source = np.concatenate([wave * np.float32(level_gain(wave)), tail])
    narrow = soxr.resample(source, SAMPLE_RATE, codec.rate)
    with tempfile.TemporaryDirectory(prefix="vqspeech-") as folder:
        # The suffix decides how these programs take a file: raw samples.
        places = {name: str(Path(folder, name.lower() + ".raw")) for name in ("IN", "CODED", "OUT")}
        pcm = np.clip(np.rint(narrow * 32767), -32768, 32767).astype("<i2")
        pcm.tofile(places["IN"])
        _run(codec, codec.encode, places, "CODED")
        _run(codec, codec.decode, places, "OUT")
        data = Path(places["CODED"]).read_bytes()
        back = np.fromfile(places["OUT"], "<i2").astype(np.float32) / 32768
    return Coded(
        soxr.resample(back, codec.rate, SAMPLE_RATE).astype(np.float32),
        codec.coded_bits(data),
        8 * len(data),
        len(pcm) / codec.rate,
    )


def _run(codec: OtherCodec, command: str, places: dict[str, str], result: str) -> None:
    """One of the two programs; `result` names the place of what it has to write."""
    words = [places.get(word, word) for word in command.split()]
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": TIMEOUT_SECONDS}
    try:
        done = subprocess.run(words, check=False, **options)
    except subprocess.TimeoutExpired:
        reason = f"did not end within {TIMEOUT_SECONDS:g} s"
    except OSError as error:
        reason = f"cannot be run: {error.strerror}"
    else:
        path = Path(places[result])
        if done.returncode == 0 and path.is_file() and path.stat().st_size:
            return
        said = done.stderr.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "no output")
        reason = f"status {done.returncode}: {last[:200]}"
    raise InputError(f"{codec.heading}: {words[0]} failed ({reason}); leave {codec.name} out")
