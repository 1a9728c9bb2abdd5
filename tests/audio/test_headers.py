import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.audio import reading as audio
from vqspeech.audio.headers import W64_ID, read_container
from vqspeech.errors import InputError

DATA = np.arange(1, 1001, dtype="<i2").tobytes()


def wav(data_size, data=DATA, riff_size=None, before=b"", after=b"", magic=b"RIFF"):
    """A 16 kHz mono 16-bit WAV with a freely chosen data size in its header."""
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16) + before
    body += b"data" + struct.pack("<I", data_size) + data + after
    return magic + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def rf64(data_size, data=DATA, size=0xFFFFFFFF):
    sizes = b"ds64" + struct.pack("<IQQQI", 28, 0, data_size, 1000, 0)
    return wav(size, data, 0xFFFFFFFF, sizes, magic=b"RF64")


def aiff(size, form=0, frames=0, data=DATA):
    rate = bytes([0x40, 0x0C, 0xFA, 0, 0, 0, 0, 0, 0, 0])  # 16,000 in 80 bits
    body = b"AIFFCOMM" + struct.pack(">IhIh", 18, 1, frames, 16) + rate
    samples = np.frombuffer(data, "<i2").astype(">i2").tobytes()
    body += b"SSND" + struct.pack(">III", size, 0, 0) + samples
    return b"FORM" + struct.pack(">I", form) + body


def au(size, data=DATA):
    samples = np.frombuffer(data, "<i2").astype(">i2").tobytes()
    return b".snd" + struct.pack(">5I", 24, size, 3, 16_000, 1) + samples


def w64(size, data=DATA):
    tail = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
    fmt = struct.pack("<QHHIIHH", 40, 1, 1, 16_000, 32_000, 2, 16)
    head = W64_ID + struct.pack("<Q", size) + b"wave" + tail + b"fmt " + tail + fmt
    return head + b"data" + tail + struct.pack("<Q", size) + data


def caf(size, data=DATA):
    desc = struct.pack(">d4s5I", 16_000, b"lpcm", 2, 2, 1, 1, 16)  # little-endian
    head = b"caff\0\1\0\0desc" + struct.pack(">Q", 32) + desc
    return head + b"data" + struct.pack(">QI", size, 0) + data


def container(content, stop=None):
    return read_container(io.BytesIO(content), 0, len(content) if stop is None else stop)


def missing(content):
    return container(content).missing(len(content))


def sizes(top):
    """What programs leave where they do not know, also rounded to blocks and less the header."""
    return [top, top - 36, top // 9 * 9, top // 65 * 65]


STREAMS = [
    *(wav(size, riff_size=riff) for size in (0, 0xFFFFFFFF) for riff in (0, 36, 0xFFFFFFFF)),
    *(wav(size, riff_size=size + 36) for size in sizes(0x7FFFF000)),
    *(wav(size, riff_size=0) for size in (0x7FFFFFFF, 0x80000000, *sizes(0xFFFFFFFF))),
    wav(0x7FFFF008),
    *(rf64(size) for size in (0, (1 << 64) - 1)),
    *(aiff(size, 0x7F000050) for size in (0, 0x7F000008, 0x7F000007, 0xFFFFFFFF, 0x7FFFFFFF)),
    *(au(size) for size in (0, 0xFFFFFFFF, 0x7FFFF000, 0x80000000)),
    *(w64(size) for size in (0, 23, 24, (1 << 63) - 1, (1 << 64) - 1)),
    *(caf(size) for size in (0, 4, (1 << 64) - 1)),
]


@pytest.mark.parametrize("content", STREAMS)
def test_a_size_left_open_is_as_long_as_the_file(tmp_path, content):
    path = tmp_path / "pipe"
    path.write_bytes(content)
    assert np.array_equal(audio.read(path) * 32768, np.arange(1, 1001))
    assert audio.duration(path) == 1000 / 16_000
    path.write_bytes(content[: -len(DATA)])
    with pytest.raises(InputError, match="no samples"):
        audio.read(path)


WHOLE = [
    wav(2000),
    rf64(2000),
    aiff(2008, 2046, 1000),
    au(2000),
    w64(2024),
    caf(2004),
]


@pytest.mark.parametrize("content", WHOLE)
@pytest.mark.parametrize("cut", [2, 1000, 1998])
def test_cut_off(tmp_path, content, cut):
    path = tmp_path / "in"
    path.write_bytes(content)
    assert np.array_equal(audio.read(path) * 32768, np.arange(1, 1001))
    assert missing(content) == 0
    path.write_bytes(content[:-cut])
    with pytest.raises(InputError, match=f"{cut} bytes"):
        audio.read(path)


def test_a_true_size_that_looks_left_open(tmp_path):
    """Two GiB of samples and a chunk after them; here the file is only described."""
    with open(tmp_path / "long.wav", "w+b") as file:
        file.write(wav(0x7FFFF000, b""))
        file.seek(44 + 0x7FFFF000)  # a hole takes no room
        file.write(b"LIST" + struct.pack("<I", 4) + b"INFO")
        found = read_container(file, 0, file.tell())
        assert found.size == 0x7FFFF000
        file.write(b"and more samples")
        assert read_container(file, 0, file.tell()).size is None


def test_a_stream_longer_than_its_header_can_say():
    found = container(wav(0xFFFFFFFF))
    assert found.patches(1 << 32) is not None
    assert found.patches((1 << 32) + 100) is None


def test_no_samples_but_a_chunk_after_them():
    assert container(wav(0, b"", after=b"LIST" + struct.pack("<I", 4) + b"INFO")).size == 0


def test_odd_chunks_before_the_data():
    odd = b"LIST" + struct.pack("<I", 5) + b"INFO!\0"
    assert missing(wav(2000, before=odd)) == 0
    assert missing(wav(2000, DATA[:-100], before=odd)) == 100


def test_chunk_cut_after_complete_data_is_no_loss():
    assert missing(wav(2000, after=b"LIST\xff\0\0\0ab")) == 0


@pytest.mark.parametrize("kind", ["RF64", "RIFX"])
def test_cut_rf64_and_big_endian(tmp_path, kind):
    path = tmp_path / "in.wav"
    options = {"format": "RF64"} if kind == "RF64" else {"format": "WAV", "endian": "BIG"}
    soundfile.write(path, np.zeros(1000), 16_000, "PCM_16", **options)
    assert len(audio.read(path)) == 1000
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(InputError, match="2 bytes"):
        audio.read(path)


@given(st.binary(max_size=64), st.integers(0, 70))
@settings(max_examples=200)
def test_any_bytes_after_a_magic(data, stop):
    for magic in (b"RIFF", b"RF64", b"RIFX", b"FORM", b".snd", W64_ID, b"caff"):
        for kind in (b"", b"WAVE", b"AIFF"):
            content = magic + data[:4] + kind + data[4:]
            for end in (stop, len(content)):
                found = container(content, end)
                if found is not None:
                    found.patches(end)


@pytest.mark.parametrize("size", [1, 1 << 31, 1 << 62, 1 << 63, (1 << 64) - 1])
def test_chunks_of_any_size_before_the_samples(size):
    def chunks(order, name):
        return name + struct.pack(order + "Q", size)

    assert container(caf(2004)[:8] + chunks(">", b"free") + caf(2004)[8:]) is None or size < 9
    head, rest = w64(2024)[:40], w64(2024)[40:]
    assert container(head + chunks("<", b"junk" * 4) + rest) is None or size < 25
