import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.audio import reading as audio
from vqspeech.audio.headers import PatchedFile, check_size
from vqspeech.errors import InputError


def wav(data_size, data, riff_size=None, before=b"", after=b"", magic=b"RIFF"):
    """A 16 kHz mono 16-bit WAV with a freely chosen data size in its header."""
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16) + before
    body += b"data" + struct.pack("<I", data_size) + data + after
    return magic + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


DATA = np.arange(1, 1001, dtype="<i2").tobytes()


def check(data):
    return check_size(io.BytesIO(data), len(data))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000])
@pytest.mark.parametrize("riff_size", [0, 36, 0xFFFFFFFF])
def test_streamed_wav_is_read_whole(tmp_path, size, riff_size):
    path = tmp_path / "pipe.wav"
    path.write_bytes(wav(size, DATA, riff_size))
    assert np.array_equal(audio.read(path) * 32768, np.arange(1, 1001))
    path.write_bytes(wav(size, b"", riff_size))
    with pytest.raises(InputError, match="no samples"):
        audio.read(path)


def test_no_samples_but_a_chunk_after_them():
    assert check(wav(0, b"", after=b"LIST" + struct.pack("<I", 4) + b"INFO")).empty


def test_odd_chunks_before_the_data():
    odd = b"LIST" + struct.pack("<I", 5) + b"INFO!\0"
    assert check(wav(2000, DATA, before=odd)).missing == 0
    assert check(wav(2000, DATA[:-100], before=odd)).missing == 100


def test_chunk_cut_after_complete_data_is_no_loss():
    assert check(wav(2000, DATA, after=b"LIST\xff\0\0\0ab")).missing == 0


def test_rf64():
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 0, 2000, 1000, 0)
    # In RF64, ds64 comes first; the order does not matter here.
    assert check(wav(0xFFFFFFFF, DATA, before=ds64, magic=b"RF64")).missing == 0
    assert check(wav(0xFFFFFFFF, DATA[:500], before=ds64, magic=b"RF64")).missing == 1500


@pytest.mark.parametrize("kind", ["RF64", "RIFX"])
def test_cut_rf64_and_big_endian(tmp_path, kind):
    path = tmp_path / "in.wav"
    options = {"format": "RF64"} if kind == "RF64" else {"format": "WAV", "endian": "BIG"}
    soundfile.write(path, np.zeros(1000), 16_000, "PCM_16", **options)
    assert len(audio.read(path)) == 1000
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(InputError, match="2 bytes"):
        audio.read(path)


@given(st.binary(max_size=64))
@settings(max_examples=200)
def test_any_bytes_after_a_magic(data):
    for magic in (b"RIFF", b"RF64", b"RIFX", b"FORM", b".snd", b"riff"):
        check(magic + data)
        check(magic + data[:4] + b"WAVE" + data[4:])


@given(st.integers(0, 30), st.binary(min_size=1, max_size=6), st.integers(1, 7))
def test_patched_file(offset, replacement, size):
    original = bytes(range(40))
    file = PatchedFile(io.BytesIO(original), offset, replacement)
    expected = original[:offset] + replacement + original[offset + len(replacement) :]
    assert b"".join(iter(lambda: file.read(size), b"")) == expected
    file.seek(0)
    assert file.read() == expected
