"""Codes of several levels: cut, joined, brought to a lower rate, kept as .npy."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.codes.codes import MOST_LEVELS, Codes
from vqspeech.codes.npy import load_npy
from vqspeech.errors import InputError

HOP, SIZE, RATE = 320, 1024, 16_000


def codes(levels=4, frames=10, size=SIZE, short=0, seed=0):
    indices = np.random.default_rng(seed).integers(0, SIZE, (levels, frames))
    return Codes(indices, frames * HOP - short, HOP, "made", size=size)


def saved(array) -> io.BytesIO:
    file = io.BytesIO()
    np.save(file, array)
    file.seek(0)
    return file


def test_shapes():
    four, one = codes(4), codes(1)
    assert four.indices.shape == (4, 10) and one.indices.shape == (10,)
    assert (four.levels, one.levels, four.frames, len(one)) == (4, 1, 10, 10)
    assert four.by_level is not None and one.by_level.shape == (1, 10)
    assert np.array_equal(list(four)[3], four.indices[:, 3:4]) and list(one) == one.indices.tolist()
    assert np.asarray(four).shape == (4, 10)
    assert four.bits_per_second(SIZE) == 2000 and one.bits_per_second(SIZE) == 500


@pytest.mark.parametrize("shape", [(MOST_LEVELS + 1, 4), (2, 2, 4), (0, 4), (4, 0)])
def test_what_is_no_array_of_levels_is_refused(shape):
    with pytest.raises(InputError, match="codes"):
        Codes(np.zeros(shape, int), 4 * HOP, HOP)


def test_a_lower_rate_leaves_levels_out():
    four = codes(4, short=7)
    for rate, levels in ((500, 1), (999, 1), (1000, 2), (1500, 3), (2000, 4), (9999, 4)):
        found = four.at(rate)
        assert np.array_equal(found.by_level, four.indices[:levels])
        assert (found.samples, found.model, found.size) == (four.samples, "made", SIZE)
    assert four.at(500).indices.ndim == 1
    with pytest.raises(InputError, match="less than the first level alone takes: 500"):
        four.at(499)
    for wrong in (float("nan"), float("inf"), "fast"):
        with pytest.raises(InputError, match="bitrate"):
            four.at(wrong)
    odd = Codes(np.zeros((7, 4), int), 4 * 480, 480, size=SIZE)  # 333.333... bit/s a level
    for levels in range(1, 8):
        assert odd.at(float(f"{levels * 16_000 / 480 * 10:g}")).levels == levels, "as printed"
    with pytest.raises(InputError, match=r"do not say how many codes .* codes.first\(levels\)"):
        codes(size=None).at(500)
    with pytest.raises(InputError, match=r"levels 5 must be a whole number in 1..4"):
        four.first(5)


def test_stretches_have_all_levels():
    four = codes(4, 11, short=5)
    assert np.array_equal(four[2:6].indices, four.indices[:, 2:6])
    assert four[4:].samples == four.samples - 4 * HOP
    again = Codes.join([four[:4], four[4:]])
    assert np.array_equal(again.indices, four.indices) and again.samples == four.samples
    filled = Codes.join([four[:3], four[4:]])
    assert np.array_equal(filled.indices[:, 3], four.indices[:, 1])
    assert (again.size, Codes.join([four, codes(4, 11, None)]).size) == (SIZE, None)
    with pytest.raises(InputError, match=r"different numbers of levels .* codes.first\(2\)"):
        Codes.join([four, codes(2)])


@given(st.integers(1, 4), st.integers(1, 9), st.sampled_from(["<u2", ">i4", "<i8"]), st.booleans())
@settings(max_examples=30, deadline=None)
def test_an_array_of_levels_is_read(levels, frames, dtype, turned):
    indices = codes(levels, frames).by_level.astype(dtype)
    given_ = np.asfortranarray(indices) if turned else indices
    found = load_npy(saved(given_), HOP, SIZE, "made")
    assert np.array_equal(found.by_level, indices) and found.size == SIZE
    file = io.BytesIO()
    found.save_npy(file)
    file.seek(0)
    assert np.load(file).shape == ((levels, frames) if levels > 1 else (frames,))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 3, 4), int), "has 3 dimensions"),
        (np.zeros((9, 40), int), r"has 9 levels, codes have 1 to 8; save them as"),
        (np.zeros((40, 4), int), r"has 40 levels, .*are they turned\?"),
        (np.zeros((0, 4), int), "has 0 levels"),
        (np.zeros((2, 0), int), "has no codes"),
        (np.full((2, 4), SIZE), "beyond the model's, 0 to 1023; use the model"),
        (np.full((2, 4), -1), "beyond the model's"),
    ],
)
def test_arrays_that_are_no_codes_are_refused(array, words):
    with pytest.raises(InputError, match=words):
        load_npy(saved(array), HOP, SIZE)


def test_a_cut_array_of_levels_is_refused():
    data = saved(codes().indices).getvalue()
    with pytest.raises(InputError, match="cut off or damaged"):
        load_npy(io.BytesIO(data[:-2]), HOP, SIZE)
    with pytest.raises(InputError, match="has 2 bytes after its 10 codes"):
        load_npy(io.BytesIO(data + b"00"), HOP, SIZE)
