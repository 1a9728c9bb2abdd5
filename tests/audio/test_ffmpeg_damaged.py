"""What ffmpeg makes of a damaged file: found by recipes/robustness/fuzz.py."""

import shutil
import struct

import pytest

from vqspeech.audio import ffmpeg
from vqspeech.audio import reading as audio
from vqspeech.errors import InputError

AU = ">4s5I"


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """answer(bytes): a file that libsndfile cannot read, and an ffmpeg that says these bytes."""

    def make(output):
        (tmp_path / "output").write_bytes(output)
        program = tmp_path / "ffmpeg"
        program.write_text(f"#!/bin/sh\n{shutil.which('cat')} {tmp_path}/output\n")
        program.chmod(0o755)
        monkeypatch.setattr(ffmpeg, "PROGRAM", str(program))
        path = tmp_path / "in.wma"
        path.write_bytes(b"not for libsndfile" * 10)
        return path

    return make


def header(rate=16_000, channels=1):
    return struct.pack(AU, b".snd", 24, 0xFFFFFFFF, 6, rate, channels)


def test_a_track_without_samples(answer):
    path = answer(header())
    for read in (audio.read, audio.measure_level, audio.duration):
        with pytest.raises(InputError, match="no samples"):
            read(path)


@pytest.mark.parametrize("rate", [0, 1, 999, 2**31])
def test_an_impossible_rate(answer, rate):
    with pytest.raises(InputError, match=f"declares {rate} Hz"):
        audio.read(answer(header(rate) + bytes(4000)))


@pytest.mark.parametrize("output", [b"", b".snd", b"RIFF" * 10, header()[:20]])
def test_no_header_of_a_sound(answer, output):
    with pytest.raises(InputError, match="not audio"):
        audio.read(answer(output))


def test_no_channels(answer):
    with pytest.raises(InputError, match="not audio"):
        audio.read(answer(header(channels=0) + bytes(400)))
