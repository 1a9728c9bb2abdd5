import io
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.codes.codes import MAX_FRAMES, Codes
from vqspeech.codes.npy import load_npy
from vqspeech.errors import InputError

HOP, SIZE = 320, 512


def refused(path, *words):
    """The error's one line; it names the file and says what to do."""
    with pytest.raises(InputError) as caught:
        load_npy(path, HOP, SIZE)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message and ";" in message
    for word in words:
        assert word in message


def header(text: str, version=(1, 0)) -> bytes:
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text.encode()


def shaped(shape: str, descr="'<u2'") -> bytes:
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n")


@given(
    st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=50),
    st.sampled_from(["<u2", ">u2", "<i2", ">i4", "<i8", ">u8"]),
)
@settings(max_examples=30, deadline=None)
def test_any_integer_type_is_read(tmp_path_factory, values, dtype):
    path = tmp_path_factory.getbasetemp() / "codes.npy"
    np.save(path, np.array(values, dtype))
    codes = load_npy(path, HOP, SIZE, "tiny")
    assert codes.indices.dtype == np.uint16 and codes.indices.tolist() == values
    assert (codes.samples, codes.hop, codes.model) == (len(values) * HOP, HOP, "tiny")


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=50), st.integers(0, HOP - 1))
@settings(max_examples=30, deadline=None)
def test_saved_codes_are_a_plain_array(tmp_path_factory, values, short):
    path = tmp_path_factory.getbasetemp() / "saved.npy"
    Codes(np.array(values), len(values) * HOP - short, HOP).save_npy(path)
    found = np.load(path)
    assert found.dtype == np.uint16 and found.shape == (len(values),)
    assert found.tolist() == values
    assert load_npy(path, HOP, 65536).indices.tolist() == values


def test_strided_and_fortran_arrays(tmp_path):
    path = tmp_path / "codes.npy"
    np.save(path, np.asfortranarray(np.arange(100)[::2]))
    assert load_npy(path, HOP, SIZE).indices.tolist() == list(range(0, 100, 2))
    path.write_bytes(
        header("{'descr': '<u2', 'fortran_order': True, 'shape': (2,)}", (2, 0)) + b"\1\0\2\0"
    )
    assert load_npy(path, HOP, SIZE).indices.tolist() == [1, 2]


def test_a_file_longer_than_a_block(tmp_path):
    path = tmp_path / "codes.npy"
    values = np.arange((1 << 20) + 7) % SIZE
    np.save(path, values.astype(np.uint16))
    assert np.array_equal(load_npy(path, HOP, SIZE).indices, values)
    values[-1] = SIZE
    np.save(path, values.astype(np.int32))
    refused(path, f"frame {len(values) - 1}", "code 512", "0 to 511")


def test_figures():
    codes = Codes([3, 1, 2], samples=700, hop=320, model="base")
    assert (codes.frames, codes.rate, codes.seconds) == (3, 16_000, 700 / 16_000)
    assert codes.bits_per_second(512) == 450 and codes.bits_per_second(500) == 450


@pytest.mark.parametrize(
    ("indices", "samples", "hop"),
    [
        ([[[1, 2]]], 640, 320),
        ([1.0, 2.0], 640, 320),
        ([True, False], 640, 320),
        ([1, 2], 641, 320),
        ([1, 2], 320, 320),
        ([], 0, 320),
        ([1, 2], 640, 0),
        ([-1, 2], 640, 320),
        ([65536, 2], 640, 320),
    ],
)
def test_impossible_codes(indices, samples, hop):
    with pytest.raises(InputError):
        Codes(np.array(indices), samples, hop)


def test_missing_folder_and_device(tmp_path):
    refused(tmp_path / "none.npy", "no such file")
    refused(tmp_path, "folder")
    refused("/dev/null", "regular")
    refused(tmp_path / ("long" * 100 + ".npy"), "cannot be read")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty (0 bytes)"]),
        (b"RIFF....WAVE", ["not a .npy file", "vqspeech encode"]),
        (pickle.dumps([1, 2, 3]), ["pickle", "never loaded"]),
        (b"PK\x03\x04rest", [".npz"]),
        (b"\x93NUM", ["not a .npy file"]),
        (b"\x93NUMPY", ["header"]),
        (b"\x93NUMPY\x01\x00", ["header"]),
        (b"\x93NUMPY\x09\x00\x10\x00" + b" " * 16, ["header"]),
        (header("not a dictionary"), ["header"]),
        (header("{}"), ["header"]),
        (header("-" * 9000 + "1"), ["header"]),
        (header("(" * 9000), ["header"]),
        (header("[" * 50 + "]" * 50), ["header"]),
        (header(" " * 20_000 + "{}"), ["header"]),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'", ["header"]),
        (shaped("(3,)", "'nonsense'"), ["header"]),
        (shaped("(3,)", "'|O'") + pickle.dumps([1]), ["pickled", "never loaded"]),
        (shaped("(3,)", "[('a', '|O')]"), ["pickled", "never loaded"]),
        (shaped("(3,)", "[('a', '<u2')]") + bytes(6), ["other data"]),
        (shaped("(3,)", "'<f4'") + bytes(12), ["float32", "whole numbers"]),
        (shaped("(3,)", "'|b1'") + bytes(3), ["bool"]),
        (shaped("(3,)", "'<U4'") + bytes(48), ["other data"]),
        (shaped("(3,)", "'<m8[s]'") + bytes(24), ["other data"]),
        (shaped("(2, 3, 1)") + bytes(12), ["3 dimensions"]),
        (shaped("()") + bytes(2), ["0 dimensions"]),
        (shaped("(0,)"), ["no codes"]),
        (shaped("(3,)") + bytes(5), ["cut off"]),
        (shaped("(3,)") + bytes(7), ["1 bytes after"]),
        (shaped("(-3,)"), ["cut off or damaged"]),
        (shaped(f"({2**62},)") + bytes(6), ["cut off or damaged"]),
        (shaped(f"({2**200},)") + bytes(6), ["cut off or damaged"]),
        (shaped(f"(0x{'f' * 9000},)") + bytes(6), ["cut off or damaged"]),
        (shaped("(3,)", "'<i2'") + struct.pack("<3h", 1, -5, 2), ["frame 1", "-5", "0 to 511"]),
        (shaped("(3,)") + struct.pack("<3H", 1, 2, 512), ["frame 2", "512", "0 to 511"]),
        (shaped("(1,)", "'<u8'") + b"\xff" * 8, [str(2**64 - 1)]),
    ],
)
def test_hostile_files(tmp_path, content, words):
    path = tmp_path / "codes.npy"
    path.write_bytes(content)
    tracemalloc.start()
    refused(path, *words)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_a_pickled_array_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "boom"),)

    path = tmp_path / "codes.npy"
    np.save(path, np.array([Bomb()], object), allow_pickle=True)
    refused(path, "never loaded")
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path, "never loaded")
    assert not (tmp_path / "boom").exists()


def test_a_file_too_long_takes_no_memory(tmp_path):
    path = tmp_path / "codes.npy"
    path.write_bytes(shaped(f"({MAX_FRAMES + 1},)"))
    os.truncate(path, path.stat().st_size + 2 * (MAX_FRAMES + 1))  # sparse: takes no disk either
    refused(path, "more than")


@pytest.mark.parametrize("name", ["none/codes.npy", "folder.npy", "codes.wav", "codes", "fifo.npy"])
def test_unwritable_targets(tmp_path, name):
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "fifo.npy")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        Codes([1], HOP, HOP).save_npy(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and ";" in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "codes.npy"
    Codes([1], HOP, HOP).save_npy(path)
    monkeypatch.setattr(os, "replace", _disk_full)
    with pytest.raises(InputError, match="No space left"):
        Codes([2], HOP, HOP).save_npy(path)
    assert [p.name for p in tmp_path.iterdir()] == ["codes.npy"]
    assert np.load(path).tolist() == [1]


def _disk_full(*_):
    raise OSError(28, "No space left on device")


def test_writing_through_a_link_keeps_it(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.npy"
    link.symlink_to(tmp_path / "real" / "codes.npy")
    Codes([1], HOP, HOP).save_npy(link)
    assert link.is_symlink() and np.load(link).tolist() == [1]


def test_numpy_reads_what_is_written_without_pickle(tmp_path):
    path = tmp_path / "codes.npy"
    Codes([1, 2], 2 * HOP, HOP).save_npy(path)
    expected = io.BytesIO()
    np.save(expected, np.array([1, 2], np.uint16))
    assert path.read_bytes() == expected.getvalue()
