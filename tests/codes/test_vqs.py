"""The bitstream and its files: exact round trips, and nothing but clear errors from bad ones."""

import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from dull_prior import Dull, coder_for
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.codes import bitstream
from vqspeech.codes.bitstream import PackedCoder
from vqspeech.codes.header import BLOCK_CODES, Header, header_bytes, read_header, seed_of
from vqspeech.codes.numbers import variable
from vqspeech.codes.stream import CodeStream
from vqspeech.codes.vqs import load_vqs, measure_vqs, save_vqs
from vqspeech.codes.vqs_reader import VqsReader
from vqspeech.errors import InputError

HOP, SIZE = 320, 512


def header(samples, prior="", size=SIZE, speaker="anna"):
    return Header("0123456789abcdef", prior, HOP, size, samples, "tiny", speaker)


def some_codes(frames, size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(size, size=frames).astype(np.uint16)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.vqs"


def saved(path, frames, prior="deadbeef", short=7):
    """Write a file of `frames` codes; returns (header, codes, its bytes)."""
    codes, about = some_codes(frames), header(frames * HOP - short, prior)
    save_vqs(path, about, codes, coder_for(about))
    return about, codes, path.read_bytes()


def refused(path, *words, salvage=False):
    with pytest.raises(InputError) as caught:
        load_vqs(path, coder_for, salvage)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{path}: ") and ";" in message
    for word in words:
        assert word in message, message


@given(
    st.integers(0, 3000),
    st.sampled_from([2, 3, 100, 512, 65536]),
    st.sampled_from(["", "deadbeef"]),
    st.text(max_size=20),
)
@settings(max_examples=25, deadline=None)
def test_round_trip(tmp_path_factory, frames, size, prior, speaker):
    path = tmp_path_factory.getbasetemp() / "round.vqs"
    codes = some_codes(frames, size, frames)
    about = header(max(0, frames * HOP - frames % HOP), prior, size, speaker)
    written = save_vqs(path, about, codes, coder_for(about))
    found = load_vqs(path, coder_for)
    assert found.header == about and found.samples == about.samples and not found.lost
    assert found.codes.dtype == np.uint16 and np.array_equal(found.codes, codes)
    measured = measure_vqs(path)
    assert (measured.header, measured.size) == (about, written) and written == os.path.getsize(path)
    if not prior:
        assert measured.payload == sum(
            -(-about.codes_in(block) * about.bits // 8) for block in range(about.blocks)
        )


def test_the_format_does_not_move(path):
    """These very bytes are version 1; files of it exist."""
    about = Header("0123456789abcdef", "", 320, 512, 900, "base", "anna")
    save_vqs(path, about, np.array([1, 2, 511], np.uint16), PackedCoder(9))
    head = b"VQS\x01\x00" + bytes.fromhex("0123456789abcdef") + b"\x40\x01\xff\x01\x84\x07"
    head += b"\x04base\x04anna"
    head += struct.pack("<I", zlib.crc32(head))
    block = b"\xb1\x5c\x00\x04" + int("00000000100000001011111111100000", 2).to_bytes(4)
    block += struct.pack("<I", zlib.crc32(block, zlib.crc32(head[:-4])))
    assert path.read_bytes() == head + block


def test_a_name_that_is_no_utf_8_is_the_same_for_who_writes_and_reads():
    """The prior is asked for it: with another one it would decode other codes than it encoded."""
    about = header(320, "deadbeef", speaker="ann\udce9")
    assert read_header(header_bytes(about))[0] == about and about.speaker == "ann?"


def test_headers_are_small(path):
    _, _, data = saved(path, 200, "")
    assert len(data) - 200 * 9 // 8 <= 45


def test_every_cut_is_noticed(path):
    _, _, data = saved(path, BLOCK_CODES + 3)
    for end in [*range(60), *range(60, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:end])
        refused(path)


def test_every_flipped_bit_is_noticed(path):
    _, _, data = saved(path, 40)
    for bit in range(0, 8 * len(data), 3):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        refused(path)


def blocks_of(data, about):
    """(header, blocks) as bytes."""
    view, at = memoryview(data), len(header_bytes(about))
    seed, start, found = seed_of(about), data[:at], []
    while at < len(data):
        end = bitstream.read_block(view, at, about, seed).end
        found.append(data[at:end])
        at = end
    return start, found


def test_blocks_out_of_place(path):
    about, codes, data = saved(path, 3 * BLOCK_CODES + 5)
    head, (a, b, c, d) = blocks_of(data, about)
    cases = {
        head + a + c + b + d: "block 2 stands where block 1 should",
        head + a + b + d: "block 3 stands where block 2 should",
        head + a + a + b + c + d: "block 0 stands where block 1 should",
        head + a + b + c: "block 3 of 4",
        head + a + b + c + d + b"rubbish": "7 bytes after its last block",
        head + b"rubbish" + a + b + c + d: "block 0 of 4 does not begin",
        data + b"VQS" + data[:90]: "93 bytes after its last block",
    }
    for content, word in cases.items():
        path.write_bytes(content)
        refused(path, word, "--salvage")
    path.write_bytes(head + a + c + b + d)
    assert np.array_equal(load_vqs(path, coder_for, True).codes, codes)
    path.write_bytes(head + b"rub\xb1\x5cbish" + a + b[:50] + c + d + b"\xb1\x5c" * 9)
    found = load_vqs(path, coder_for, True)
    assert found.lost == (1,) and found.samples == about.samples - BLOCK_CODES * HOP
    kept = np.concatenate([codes[:BLOCK_CODES], codes[2 * BLOCK_CODES :]])
    assert np.array_equal(found.codes, kept)
    path.write_bytes(head + a + b + c + d[:-1])
    found = load_vqs(path, coder_for, True)
    assert found.lost == (3,) and found.samples == 3 * BLOCK_CODES * HOP


def test_a_block_of_another_file(path):
    about, _, data = saved(path, 2 * BLOCK_CODES)
    head, (a, _) = blocks_of(data, about)
    other = header(about.samples, about.prior, speaker="bert")
    save_vqs(path, other, some_codes(2 * BLOCK_CODES, seed=9), coder_for(other))
    _, (_, strange) = blocks_of(path.read_bytes(), other)
    path.write_bytes(head + a + strange)
    refused(path, "block 1 of 2 is damaged")
    assert load_vqs(path, coder_for, True).lost == (1,)


def test_nothing_to_salvage(path):
    about, _, data = saved(path, 40)
    path.write_bytes(header_bytes(about) + b"\xb1\x5c" * 400)
    refused(path, "no intact block", salvage=True)
    path.write_bytes(b"X" + data[1:])
    refused(path, "not a .vqs file", salvage=True)
    path.write_bytes(data[:5] + b"\xff" + data[6:])
    refused(path, "header", salvage=True)


def test_codes_that_decode_differently(path):
    """The checksum of the codes tells even where every byte of the file is right."""
    _, _, _ = saved(path, 40)

    class Different(Dull):
        def decode(self, payload, count, inside):
            return super().decode(payload, count, inside) ^ 1

    with pytest.raises(InputError, match="other codes than were written"):
        load_vqs(path, lambda header: Different())


def test_codes_beyond_the_codebook(path):
    about = header(2 * HOP, "", 500)
    save_vqs(path, about, np.array([1, 511], np.uint16), PackedCoder(9))
    refused(path, "codebook")


def declared(samples):
    """A header, its checksum right, of a file with nothing in it."""
    head = bytearray(header_bytes(header(1)))
    at = head.index(b"\xff\x01") + 2
    body = bytes(head[:at]) + variable(samples) + bytes(head[at + 1 : -4])
    return body + struct.pack("<I", zlib.crc32(body))


@pytest.mark.parametrize("samples", [2**60, 2**40 + 1, 2**40, 2**39, 2**36, 10**9, 321])
@pytest.mark.parametrize("salvage", [False, True])
def test_sizes_that_are_not_there(path, samples, salvage):
    path.write_bytes(declared(samples) + b"\xb1\x5c\x00\x01")
    tracemalloc.start()
    refused(path, salvage=salvage)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_other_versions_and_files(path):
    _, _, data = saved(path, 40)
    path.write_bytes(data[:3] + b"\x09" + data[4:])
    refused(path, "version 9", "reads 1 to 8", "upgrade")
    path.write_bytes(b"RIFF" + data)
    refused(path, "not a .vqs file")
    path.write_bytes(b"")
    refused(path, "empty")
    refused(path.parent / "none.vqs", "no such file")
    refused(path.parent, "folder")
    refused("/dev/null", "regular")


def test_what_the_coder_refuses(path):
    saved(path, 40)

    def refuse(header):
        raise InputError("was made by another model; use that")

    with pytest.raises(InputError, match=f"{path}: was made"):
        load_vqs(path, refuse)


@pytest.mark.parametrize("name", ["none/x.vqs", "x.npy", "folder.vqs"])
def test_unwritable_targets(tmp_path, name):
    (tmp_path / "folder.vqs").mkdir()
    with pytest.raises(InputError) as caught:
        save_vqs(tmp_path / name, header(HOP), some_codes(1), PackedCoder(9))
    assert str(tmp_path / name) in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.vqs"]


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    _, _, data = saved(path, 40)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        saved(path, 50)
    assert path.read_bytes() == data and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"samples": -1},
        {"samples": 2**41},
        {"hop": 0},
        {"hop": 65536},
        {"codebook_size": 1},
        {"codebook_size": 65537},
        {"model": "x" * 256},
        {"speaker": "ü" * 128},
    ],
)
def test_impossible_headers(values):
    fields = {"hop": HOP, "codebook_size": SIZE, "samples": 9, "model": "tiny"} | values
    with pytest.raises(InputError, match="vqs"):
        Header(codes="0" * 16, prior="", **fields)


def stream_of(codes, samples, parts=7):
    def made():
        yield from np.array_split(codes, parts)
        return samples

    return CodeStream(made())


def streamed(frames, prior="deadbeef", short=7, block=100):
    """(header, codes, the pieces that a stream of them is written in)."""
    codes, about = some_codes(frames), header(None, prior)
    stream = stream_of(codes, frames * HOP - short)
    return about, codes, list(bitstream.streamed(about, stream, coder_for(about), block))


def read_stream(data, salvage=False, step=5):
    """(reader, codes) of bytes that come a few at a time."""
    file = io.BytesIO(data)
    reader = VqsReader("pipe", lambda size: file.read(min(step, size)), salvage)
    found = list(reader.codes(coder_for))
    return reader, np.concatenate([np.zeros(0, np.uint16), *found])


@pytest.mark.parametrize("prior", ["", "deadbeef"])
@pytest.mark.parametrize("frames", [1, 99, 100, 101, 2500])
@pytest.mark.parametrize("block", [2, 100, BLOCK_CODES])
def test_a_stream_is_read_as_it_was_written(path, prior, frames, block):
    about, codes, pieces = streamed(frames, prior, block=block)
    assert len(pieces) >= 2 + frames // block
    data = b"".join(pieces)
    reader, found = read_stream(data, step=400)
    assert reader.header == about and reader.samples == frames * HOP - 7 and not reader.missing
    assert np.array_equal(found, codes)
    path.write_bytes(data)
    for salvage in (False, True):
        contents = load_vqs(path, coder_for, salvage)
        assert np.array_equal(contents.codes, codes) and contents.samples == reader.samples
    measured = measure_vqs(path)
    assert (measured.frames, measured.samples) == (frames, reader.samples)
    assert measured.size == len(data)


def test_a_file_is_read_from_a_pipe_too(path):
    about, codes, data = saved(path, 2 * BLOCK_CODES + 3)
    reader, found = read_stream(data, step=1000)
    assert reader.header == about and reader.samples == about.samples
    assert np.array_equal(found, codes)


def test_blocks_are_known_as_soon_as_they_have_come():
    _, codes, pieces = streamed(250)
    come = iter(pieces[:2])
    reader = VqsReader("pipe", lambda _: next(come))  # StopIteration if it asks for more
    found = next(reader.codes(coder_for))
    assert np.array_equal(found, codes[:100])


def test_the_format_of_a_stream_does_not_move():
    """These very bytes are version 2; streams of it exist."""
    about = Header("0123456789abcdef", "", 320, 512, None, "base", "anna")
    codes = np.array([1, 2, 511], np.uint16)
    data = b"".join(bitstream.streamed(about, stream_of(codes, 900, 1), PackedCoder(9), 100))
    head = b"VQS\x02\x00" + bytes.fromhex("0123456789abcdef") + b"\x40\x01\xff\x01"
    head += b"\x04base\x04anna"
    seed = zlib.crc32(head)
    block = b"\xb1\x5c\x00\x03\x04" + int("00000000100000001011111111100000", 2).to_bytes(4)
    end = b"\xb1\xed\x01\x84\x07"
    crcs = [
        struct.pack("<I", crc) for crc in (seed, zlib.crc32(block, seed), zlib.crc32(end, seed))
    ]
    assert data == head + crcs[0] + block + crcs[1] + end + crcs[2]


def test_every_cut_of_a_stream_gives_what_is_intact_and_an_error():
    _, codes, pieces = streamed(250)
    data = b"".join(pieces)
    ends = np.cumsum([len(piece) for piece in pieces])
    for cut in range(ends[0], len(data), 3):
        whole = int((ends[1:] <= cut).sum())
        file, found = io.BytesIO(data[:cut]), []
        with pytest.raises(InputError, match="cut off"):
            for part in VqsReader("pipe", file.read).codes(coder_for):
                found.append(part)
        assert len(found) == whole
        if whole:
            reader, kept = read_stream(data[:cut], salvage=True, step=1000)
            assert np.array_equal(kept, codes[: 100 * whole]) and reader.cut
            assert reader.samples == min(100 * whole, 250) * HOP
    for cut in range(ends[0]):
        with pytest.raises(InputError, match=r"header|empty|not a \.vqs"):
            read_stream(data[:cut])


def test_every_flipped_bit_of_a_stream_is_noticed():
    _, _, pieces = streamed(40, block=16)
    data = b"".join(pieces)
    for bit in range(0, 8 * len(data), 3):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InputError):
            read_stream(bytes(broken), step=1000)


def test_blocks_of_a_stream_out_of_place():
    _, codes, (head, a, b, c, end) = streamed(300)
    _, _, others = streamed(400)
    cases = {
        head + a + c + b + end: "block 2 stands where block 1 should",
        head + a + a + b + c + end: "block 0 stands where block 1 should",
        head + a + b + end: "its end stands where block 2 should",
        head + a + b"rubbish" + b + c + end: "block 1 does not begin",
        head + a + b + c + end + head[1:] + a: "after its last block",
        head + a + b + c + others[-1]: "its end stands where block 3 should",
        head + a + b + c: "its end is missing",
    }
    for data, word in cases.items():
        with pytest.raises(InputError, match=f"pipe: .*{word}.*--salvage"):
            read_stream(data)
    reader, found = read_stream(head + a + b"\xb1\x5crub\xb1" + b[:50] + c + end, salvage=True)
    assert (reader.missing, reader.lost, reader.cut) == (1, (1,), False)
    assert np.array_equal(found, codes[np.r_[0:100, 200:300]])
    assert reader.samples == 200 * HOP - 7
    with pytest.raises(InputError, match="no intact block"):
        read_stream(head + b"rubbish", salvage=True)


def test_another_file_behind_the_end(path):
    """Of `cat a.vqs b.vqs`, even with the same header, whose blocks could be taken for a's."""
    about, codes, first = saved(path, BLOCK_CODES + 9)
    other = some_codes(len(codes), seed=5)
    save_vqs(path, about, other, coder_for(about))
    second = path.read_bytes()
    stream = b"".join(streamed(250)[2])
    for a, b in ((first, second), (first, stream), (stream, second), (stream, stream)):
        path.write_bytes(a + b)
        refused(path, f"another file from byte {len(a)} on; split it there")
        for step in (1000, 1 << 20):
            with pytest.raises(InputError, match=f"pipe: .*from byte {len(a)} on; split it there$"):
                read_stream(a + b, step=step)
            reader, found = read_stream(a + b, salvage=True, step=step)
            contents = load_vqs(path, coder_for, True)
            assert np.array_equal(found, contents.codes)
            assert reader.behind == contents.behind == len(b)
            assert not (reader.missing or reader.cut or contents.missing or contents.cut)
    path.write_bytes(first[:-1] + second)
    contents = load_vqs(path, coder_for, True)
    reader, found = read_stream(first[:-1] + second, salvage=True)
    assert reader.lost == contents.lost == (1,)
    assert reader.behind == contents.behind == len(second)
    for some in (found, contents.codes):
        assert np.array_equal(some, codes[:BLOCK_CODES])
    reader, found = read_stream(stream[:-1] + stream, salvage=True)
    assert (reader.kept, reader.cut, reader.behind) == (3, True, len(stream))


def crafted(about, number, count):
    """A block of a stream that claims a number and a size, its checksum right."""
    block = bitstream.MARK + variable(number) + variable(count) + b"\x00"
    return block + struct.pack("<I", zlib.crc32(block, seed_of(about)))


@pytest.mark.parametrize("number", [0, 2**31, 2**40])
@pytest.mark.parametrize("count", [0, 100, 1025, 2**40])
@pytest.mark.parametrize("salvage", [False, True])
def test_a_stream_of_hostile_sizes(number, count, salvage):
    about = header(None, "", 512)
    data = header_bytes(about) + crafted(about, number, count)
    tracemalloc.start()
    with pytest.raises(InputError):
        read_stream(data, salvage)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
