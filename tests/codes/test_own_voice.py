"""A voice in some tens of bytes: there and back, and what is no voice."""

import struct

import numpy as np
import pytest

from vqspeech.codes.codes import Codes
from vqspeech.codes.header import Header, header_bytes, read_header
from vqspeech.codes.own_voice import MOST_VALUES, read_voice, voice_bytes
from vqspeech.errors import InputError

MODEL = "0123456789abcdef"


@pytest.mark.parametrize("size", [1, 64, MOST_VALUES])
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 100.0])
def test_there_and_back(size, scale):
    vector = (scale * np.random.default_rng(size).standard_normal(size)).astype(np.float32)
    data = voice_bytes(MODEL, vector)
    model, found = read_voice(data)
    assert model == MODEL[:8] and len(data) == 6 + size and found.dtype == np.float32
    largest = np.abs(vector).max()
    if scale > 1e-6:  # below, float16 has no such scale
        assert np.abs(found - vector).max() <= 0.0045 * largest
    assert voice_bytes(MODEL, found) == data


def test_nothing_is_a_voice_too():
    _, found = read_voice(voice_bytes(MODEL, np.zeros(8, np.float32)))
    np.testing.assert_array_equal(found, np.zeros(8))


@pytest.mark.parametrize("size", [0, MOST_VALUES + 1])
def test_too_many_values(size):
    with pytest.raises(InputError, match="too large"):
        voice_bytes(MODEL, np.zeros(size, np.float32))


def test_values_that_could_not_be_read_back():
    with pytest.raises(InputError, match="so large"):
        voice_bytes(MODEL, np.array([1e7, 0], np.float32))
    with pytest.raises(InputError, match="finite numbers"):
        Codes(np.zeros(2, np.uint16), 640, 320, model=MODEL, voice=np.array([1e300]))


BAD = {
    "nothing": b"x",
    "no values": bytes(6),
    "too many": bytes(7 + MOST_VALUES),
    "NaN": bytes(4) + struct.pack("<e", float("nan")) + bytes(4),
    "infinite": bytes(4) + struct.pack("<e", float("inf")) + bytes(4),
    "negative": bytes(4) + struct.pack("<e", -1.0) + bytes(4),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_voice(kind):
    with pytest.raises(InputError, match="a voice that is none"):
        read_voice(BAD[kind])
    with pytest.raises(InputError):
        Header(MODEL, "", 320, 512, 900, "base", voice=BAD[kind])


@pytest.mark.parametrize("samples", [900, None])
@pytest.mark.parametrize("speaker", ["", "anna"])
def test_headers_with_a_voice(samples, speaker):
    voice = bytes(4) + struct.pack("<e", 0.25) + bytes(range(200, 256))
    about = Header(MODEL, "", 320, 512, samples, "base", speaker, voice)
    data = header_bytes(about)
    assert data[3] == (3 if samples else 4)
    assert read_header(data + b"more") == (about, len(data))
    for cut in range(len(data)):
        with pytest.raises(InputError):
            read_header(data[:cut])
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x40
        with pytest.raises(InputError):
            read_header(bytes(changed))


def test_a_header_without_a_voice_is_as_it_was():
    about = Header(MODEL, "", 320, 512, 900, "base", "anna")
    assert header_bytes(about)[3] == 1 and b"anna" in header_bytes(about)[-9:]
