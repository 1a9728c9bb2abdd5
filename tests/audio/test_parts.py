import io
import struct
from itertools import islice

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.audio import mpeg
from vqspeech.audio import reading as audio
from vqspeech.audio.parts import _KINDS, _NEEDLES, find_header, find_parts, kind_at
from vqspeech.errors import InputError

KINDS = [
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("RF64", "PCM_16"),
    ("AIFF", "PCM_24"),
    ("AU", "PCM_16"),
    ("W64", "PCM_16"),
    ("CAF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("NIST", "PCM_16"),
    ("VOC", "PCM_16"),
    ("SVX", "PCM_16"),
    ("PVF", "PCM_16"),
    ("AVR", "PCM_16"),
    ("PAF", "PCM_16"),
]
ID3V2 = b"ID3\x04\0\0\0\0\x02\x0a" + bytes(0x10A)
ID3V1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + struct.pack("<4I", 2000, 32, 0, 0) + bytes(8)


def sound(seconds, rate=16_000, hz=300.0):
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def encoded(x, kind="MP3", subtype=None, rate=16_000):
    buffer = io.BytesIO()
    soundfile.write(buffer, x, rate, subtype, format=kind)
    return buffer.getvalue()


def read(content):
    return audio.read(io.BytesIO(content))


def refused(content, *words):
    with pytest.raises(InputError) as caught:
        read(content)
    for word in (*words, ";"):
        assert word in str(caught.value)


A, B = sound(0.5), sound(0.7, hz=500.0)


@pytest.mark.parametrize(("kind", "subtype"), [*KINDS, ("MP3", None)])
def test_files_put_together_are_read_one_after_another(kind, subtype):
    one, two = encoded(A, kind, subtype), encoded(B, kind, subtype)
    expected = np.concatenate([read(one), read(two)])
    found = read(one + two)
    if subtype in ("VORBIS", "OPUS") or kind == "MP3":
        assert len(found) == 19_200
    else:
        assert np.array_equal(found, expected)
    assert audio.duration(io.BytesIO(one + two)) == pytest.approx(1.2)
    assert len(read(one + two + one)) == 27_200


@pytest.mark.parametrize("between", [ID3V2, ID3V1, ID3V1 + ID3V2, bytes(100)])
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_tags_and_padding_between_and_around(kind, between):
    one, two = encoded(A, kind), encoded(B, kind)
    if not (kind == "FLAC" and between == bytes(100)):  # which its decoder takes for damage
        assert len(read(one + between + two)) == 19_200
    assert len(read(ID3V2 + one)) == 8000


@pytest.mark.parametrize(
    "after", [ID3V1, bytes(1000), b"LIST\x04\0\0\0INFO", b"id3 \x0a\0\0\0" + ID3V2[:10]]
)
@pytest.mark.parametrize("kind", ["WAV", "RF64", "MP3", "AIFF", "W64", "AU", "CAF"])
def test_what_may_follow_a_recording(kind, after):
    assert len(read(encoded(A, kind) + after)) == 8000


def test_mp3_with_an_ape_tag():
    one = encoded(A)
    assert len(read(one + bytes(1968) + APE)) == 8000
    assert len(read(one + APE[:12] + struct.pack("<I", 32) + APE[16:] + one)) == 16_000


@pytest.mark.parametrize("one", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF"])
@pytest.mark.parametrize("two", ["WAV", "FLAC", "OGG", "MP3"])
def test_kinds_are_not_mixed(one, two):
    if one != two and (one, two) != ("FLAC", "MP3"):
        refused(encoded(A, one) + encoded(B, two), "from byte", "split it there")


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_rates_are_not_mixed(kind):
    refused(encoded(A, kind) + encoded(A, kind, rate=32_000), "16000 and 32000 Hz", "split it")


def test_other_channels_may_follow():
    both = encoded(A, "WAV") + encoded(np.stack([B, B], 1), "WAV")
    assert np.abs(read(both)[8000:] - B).max() < 1e-3


def test_streamed_wavs_put_together():
    def streamed(content):
        return content[:40] + b"\xff\xff\xff\xff" + content[44:]

    one, two = encoded(A, "WAV"), encoded(B, "WAV")
    assert np.array_equal(read(streamed(one) + streamed(two)), read(one + two))
    assert np.array_equal(read(streamed(one[:44]) + streamed(two)), read(two))


def test_a_second_part_that_is_cut_off():
    one, two = encoded(A, "WAV"), encoded(B, "WAV")
    refused(one + two[:-1000], "1000 bytes")
    refused(one + two[:20], "cut off")
    refused(encoded(A, "OGG") + encoded(B, "OGG")[:-10], "10 bytes of its last page")


def test_too_many_parts():
    refused(encoded(A[:1], "WAV") * 10_001, "over 1000 recordings")


class Counting(io.BytesIO):
    """Counts the bytes that are read from it."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize(
    "header",
    [
        b"RIFF\0\0\0\0WAVE",
        b"FORM\0\0\0\4AIFF",
        b"caff\0\1\0\0desc",
        b"fLaC\0\0\0\x22",
        b"NIST_1A\n   1024\n",
        b"PVF1\n1 16000 16\n",
        b"Creative Voice File\x1a",
    ],
)
def test_headers_without_end_are_found_in_linear_time(header):
    """What is read grows with the number of headers: not with that times the file's length."""
    read = []
    for number in (4000, 16_000):
        content = Counting(header * number)
        for _ in islice(find_parts(content, len(header) * number), 900):
            pass
        read.append(content.count)
    assert read[1] < 1.1 * read[0]


@pytest.mark.parametrize("tag", [b"ID3\3\0\0\0\0\0\0", ID3V1, APE])
def test_thousands_of_tags_behind_flac(tag):
    flac = encoded(A, "FLAC")
    assert np.array_equal(read(flac + 3000 * tag), read(flac))


# MP3


def frames_of(content):
    """An MP3 without its Xing header: the bare frames."""
    streams, _ = mpeg.find_streams(io.BytesIO(content), 0, len(content))
    assert streams[0].declared == streams[0].frames
    first = mpeg.parse_header(content[:4]).length
    return content[first : streams[0].pieces[-1].stop]


def vbr(seconds):
    """Frames of two bit rates, the first of them small: its size says nothing of the others'."""
    quiet, loud = np.zeros(8000, "f4"), np.random.default_rng(0).normal(0, 0.2, 24_000)
    buffer = io.BytesIO()
    options = {"compression_level": 0.3, "bitrate_mode": "VARIABLE"}
    x = np.concatenate([quiet, loud])[: round(16_000 * seconds)]
    soundfile.write(buffer, x, 16_000, format="MP3", **options)
    return buffer.getvalue()


def test_varying_bit_rate_without_a_header():
    content = vbr(2.0)
    bare = frames_of(content)
    sizes = {mpeg.parse_header(bare[:4]).length, len(bare) / 56}
    assert len(sizes) == 2
    found, whole = read(bare), read(content)
    assert 32_000 <= len(found) <= 32_000 + 3 * 576
    assert audio.probe(io.BytesIO(bare)).frames == len(found)
    lag = np.argmax(np.correlate(found[:12_000], whole[8000:10_000]))
    assert np.abs(found[lag : lag + 2000] - whole[8000:10_000]).max() < 1e-3


def test_bare_frames_put_together():
    bare = frames_of(encoded(A))
    one = len(read(bare))
    assert len(read(bare + ID3V2 + bare)) == pytest.approx(2 * one, abs=1200)
    assert len(read(encoded(A) + bare)) == pytest.approx(8000 + one, abs=2400)


def test_a_xing_header_that_is_older_than_the_file():
    """Frames were added, or cut off, by a tool that left the header as it was."""
    content = encoded(A)
    more = content + frames_of(encoded(B))
    assert len(read(more)) == pytest.approx(19_200, abs=2400)
    refused(content[: len(content) // 2], "cut off")


def test_broken_mp3():
    content = encoded(np.random.default_rng(0).normal(0, 0.1, 160_000))
    half = len(content) // 2
    assert len(read(content[:half] + bytes(50) + content[half:])) > 150_000
    refused(content[:half] + bytes(5000) + content[half:], "in the middle")


def test_a_resource_fork_in_the_current_folder(tmp_path, monkeypatch):
    """libsndfile would take MP3 beside a file `._` for Sound Designer II."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "._").touch()
    assert len(read(encoded(A))) == 8000


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("version", [0, 2, 3])
def test_frame_lengths(layer, version):
    """As in the standard's examples: 144 x bit rate / rate bytes."""
    header = bytes([0xFF, 0xE1 | version << 3 | (4 - layer) << 1, 0x54, 0xC0])  # 48 kHz or less
    frame = mpeg.parse_header(header)
    hz = {3: 48_000, 2: 24_000, 0: 12_000}[version]
    kbps = {(3, 1): 160, (3, 2): 80, (3, 3): 64, (0, 1): 80, (2, 1): 80}.get((version, layer), 40)
    assert frame.kind == (version, layer, hz, True)
    assert frame.length == frame.samples * kbps * 1000 // 8 // hz


@pytest.mark.parametrize("size", [0, 1, 100])
def test_headers_of_no_frame(size):
    for header in (
        b"\xff\xe8\x50\xc0",
        b"\xff\xfb\x00\xc0",
        b"\xff\xfb\xf0\xc0",
        b"\xff\xfb\x5c\xc0",
    ):
        assert mpeg.parse_header(header) is None
    assert mpeg.parse_header(b"\xff\xfb\x50\xc0"[:3]) is None
    assert not mpeg.is_mpeg(io.BytesIO(bytes(size)), 0, size)


# Finding


def test_each_needle_finds_its_kind():
    for kind, subtype in KINDS:
        content = encoded(A[:400], kind, subtype)
        assert kind_at(io.BytesIO(content), 0) is not None, kind
        for start in (5, (1 << 20) - 3, 1 << 20):
            file = io.BytesIO(bytes(start) + content)
            assert find_header(file, 0, start + len(content)) == start, (kind, start)
    assert len(_NEEDLES) >= len(_KINDS)


@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"ID3", b"\xff\xfb\x50\xc0", b"OggS\0\2", b"fLaC"]),
)
@settings(max_examples=200, deadline=None)
def test_any_bytes(data, magic):
    content = magic + data
    parts = list(find_parts(io.BytesIO(content), len(content)))
    assert parts
    for part in parts:
        for piece in part.pieces:
            assert isinstance(piece, bytes) or 0 <= piece.start <= piece.stop <= len(content)
