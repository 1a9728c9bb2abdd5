"""`.vqs` files and streams of several levels: exact with any number of them, or refused."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from dull_prior import Dull, coder_for
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.codes import bitstream
from vqspeech.codes.bitstream import PackedCoder
from vqspeech.codes.header import BLOCK_CODES, Header, header_bytes, read_header
from vqspeech.codes.stream import CodeStream
from vqspeech.codes.vqs import load_vqs, measure_vqs, reduce_vqs, save_vqs
from vqspeech.codes.vqs_reader import VqsReader
from vqspeech.errors import InputError

HOP, SIZE = 320, 1024
UPPER = "fedcba9876543210"


def about(frames, levels=4, prior="deadbeef", short=7, voice=b""):
    samples = None if frames is None else max(0, frames * HOP - short)
    upper = UPPER if levels > 1 else ""
    return Header("0123456789abcdef", prior, HOP, SIZE, samples, "tiny", "", voice, levels, upper)


def some_codes(frames, levels=4, seed=0):
    shape = (levels, frames) if levels > 1 else frames
    return np.random.default_rng(seed).integers(SIZE, size=shape).astype(np.uint16)


def file_of(frames, levels=4, prior="deadbeef"):
    """(its codes, its bytes)."""
    header, codes, file = about(frames, levels, prior), some_codes(frames, levels), io.BytesIO()
    save_vqs(file, header, codes, coder_for(header))
    return codes, file.getvalue()


def read(data, salvage=False):
    return load_vqs(io.BytesIO(data), coder_for, salvage)


@given(st.integers(1, 2500), st.integers(1, 8), st.sampled_from(["", "deadbeef"]))
@settings(max_examples=25, deadline=None)
def test_round_trip_with_every_number_of_levels(frames, levels, prior):
    codes, written = file_of(frames, levels, prior)
    found = read(written)
    assert found.codes.dtype == np.uint16 and np.array_equal(found.codes, codes)
    assert found.samples == frames * HOP - 7 and found.header.levels == levels
    measured = measure_vqs(io.BytesIO(written))
    assert (measured.frames, measured.size) == (frames, len(written))
    assert measured.payload >= frames * levels * 10 / 8


@given(st.lists(st.integers(1, 700), min_size=1, max_size=5), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_streams(parts, levels):
    frames = sum(parts)
    codes, header = some_codes(frames, levels), about(None, levels)

    def pieces():
        yield from np.split(codes, np.cumsum(parts)[:-1], -1)
        return frames * HOP - 5

    written = b"".join(bitstream.streamed(header, CodeStream(pieces()), Dull(), 100))
    reader = VqsReader("x", io.BytesIO(written).read)
    assert np.array_equal(np.concatenate(list(reader.codes(coder_for)), -1), codes)
    assert (reader.samples, reader.frames) == (frames * HOP - 5, frames)


def test_the_format_does_not_move():
    """These very bytes are version 5."""
    header = replace(about(3, 2, "", 60), model="base", speaker="anna")
    file = io.BytesIO()
    save_vqs(file, header, np.array([[1, 2, 1023], [4, 5, 6]], np.uint16), PackedCoder(10))
    head = b"VQS\x05\x00" + bytes.fromhex("0123456789abcdef") + b"\x40\x01\xff\x03"
    head += b"\x02" + bytes.fromhex(UPPER) + b"\x84\x07" + b"\x04base\x04anna"
    head += struct.pack("<I", zlib.crc32(head))
    block = b"\xb1\x5c\x00"
    for text in ("000000000100000000101111111111", "000000010000000001010000000110"):
        block += b"\x04" + int(text + "00", 2).to_bytes(4)
    block += struct.pack("<I", zlib.crc32(block, zlib.crc32(head[:-4])))
    assert file.getvalue() == head + block


@pytest.mark.parametrize("samples", [900, None])
@pytest.mark.parametrize("voice", [b"", bytes(range(4)) + b"\x00\x3c" + b"\x01\x02"])
@pytest.mark.parametrize("levels", [1, 2, 8])
def test_versions(samples, voice, levels):
    header = replace(about(3, levels, voice=voice), samples=samples)
    data = header_bytes(header)
    assert data[3] == 1 + (samples is None) + 2 * bool(voice) + 4 * (levels > 1)
    assert read_header(data) == (header, len(data))


@pytest.mark.parametrize("levels", [0, 9])
def test_levels_that_no_header_has(levels):
    with pytest.raises(InputError, match="levels"):
        replace(about(3), levels=levels)
    with pytest.raises(InputError, match="levels"):
        replace(about(3), upper="")
    data = bytearray(header_bytes(about(3)))
    at = data.index(bytes.fromhex(UPPER)) - 1
    data[at] = levels
    data[-4:] = struct.pack("<I", zlib.crc32(data[:-4]))
    with pytest.raises(InputError, match="damaged or cut-off header"):
        read_header(bytes(data))


def test_every_cut_and_every_flipped_bit_is_noticed():
    _, data = file_of(30, 3)
    for end in range(len(data)):
        with pytest.raises(InputError, match=";"):
            read(data[:end])
    for at in range(8 * len(data)):
        bad = bytearray(data)
        bad[at // 8] ^= 1 << at % 8
        with pytest.raises(InputError, match=";"):
            read(bytes(bad))


def test_a_level_missing_in_the_middle_is_refused_and_salvaged_by_block():
    codes, data = file_of(3 * BLOCK_CODES, 3)
    marks = [at for at in range(len(data)) if data[at : at + 2] == bitstream.MARK]
    first, middle, last = (
        at for number, at in enumerate(marks) if data[at + 2] == number and number < 3
    )
    size = 10 * BLOCK_CODES // 8
    end = last - 4 - 2  # the last level of the middle block stands before its checksums
    cut = data[: end - size] + data[end:]
    with pytest.raises(InputError, match=r"block 1 of 3 is (cut off|damaged).*--salvage"):
        read(cut)
    found = read(cut, salvage=True)
    kept = np.concatenate([codes[:, :BLOCK_CODES], codes[:, 2 * BLOCK_CODES :]], -1)
    assert np.array_equal(found.codes, kept) and found.lost == (1,)
    assert first < middle < last


def test_levels_of_another_number_of_codes_are_refused():
    header = about(40, 2, "")
    codes = some_codes(40, 2)
    file = io.BytesIO()
    save_vqs(file, header, codes, PackedCoder(10))
    start = len(header_bytes(header))
    payloads = [
        PackedCoder(10).encode(codes[0], False),
        PackedCoder(10).encode(codes[1, :39], False),
    ]
    block = b"\xb1\x5c\x00" + b"".join(bytes([len(one)]) + one for one in payloads)
    crc = zlib.crc32(block, struct.unpack("<I", file.getvalue()[start - 4 : start])[0])
    data = file.getvalue()[:start] + block + struct.pack("<I", crc)
    with pytest.raises(InputError, match="block 0 its size is not that of its codes"):
        read(data)


@pytest.mark.parametrize("prior", ["", "deadbeef"])
def test_a_file_is_reduced_without_its_model(tmp_path, prior):
    codes, data = file_of(BLOCK_CODES + 20, 4, prior)
    whole, low, again = (tmp_path / f"{name}.vqs" for name in ("whole", "low", "again"))
    whole.write_bytes(data)
    for levels in (1, 2, 4):
        assert reduce_vqs(whole, low, 500 * levels) == (BLOCK_CODES + 20) * HOP - 7
        found = load_vqs(low, coder_for)
        assert np.array_equal(np.atleast_2d(found.codes), codes[:levels])
        header, own = about(BLOCK_CODES + 20, levels, prior), np.squeeze(codes[:levels])
        save_vqs(again, header, own, coder_for(header))
        assert low.read_bytes() == again.read_bytes(), "as if it had been encoded so"
    assert whole.read_bytes() == data
    with pytest.raises(InputError, match="499 bit/s is less than the first level alone takes"):
        reduce_vqs(whole, again, 499)
    assert reduce_vqs(whole, low, 1e6) and low.read_bytes() == data, "no more than there are"
    whole.write_bytes(data[:-1])
    before = again.read_bytes()
    with pytest.raises(InputError, match="block 1 of 2 is cut off"):
        reduce_vqs(whole, again, 500)
    assert again.read_bytes() == before, "an old file stands"


@pytest.mark.parametrize("prior", ["", "deadbeef"])
@pytest.mark.parametrize("salvage", [False, True])
def test_a_reader_stops_at_a_level(prior, salvage):
    """It takes a coder for the levels that it reads: the upper ones' may not be its model's."""
    codes, data = file_of(BLOCK_CODES + 20, 4, prior)
    asked = []

    def coder(header):
        asked.append(header)
        return coder_for(header)

    for levels in (1, 3, 4):
        found = load_vqs(io.BytesIO(data), coder, salvage, 500 * levels + 1)
        assert np.array_equal(np.atleast_2d(found.codes), codes[:levels])
        assert found.header.levels == 4 and found.samples == (BLOCK_CODES + 20) * HOP - 7
        assert asked[-1] == about(BLOCK_CODES + 20, levels, prior)
    with pytest.raises(InputError, match="499 bit/s is less than the first level alone takes: 500"):
        load_vqs(io.BytesIO(data), coder, salvage, 499)
    if not salvage:
        with pytest.raises(InputError, match="block 1 of 2 is cut off"):
            load_vqs(io.BytesIO(data[:-1]), coder, False, 500)


def test_a_stream_is_reduced_to_a_stream():
    codes, header = some_codes(300), about(None)

    def pieces():
        yield codes
        return 300 * HOP - 5

    written = b"".join(bitstream.streamed(header, CodeStream(pieces()), Dull(), 100))
    low = b"".join(VqsReader("x", io.BytesIO(written).read).reduced(1000))
    assert np.array_equal(read(low).codes, codes[:2]) and read(low).samples == 300 * HOP - 5
    stopped = VqsReader("x", io.BytesIO(written).read).codes(coder_for, 1499)
    assert stopped.levels == 2 and np.array_equal(np.concatenate(list(stopped), -1), codes[:2])
