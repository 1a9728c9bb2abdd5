"""Codes are cut and joined so that every code keeps its codebook."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech import Codes, InputError

HOP = 320


def codes(frames, short=0, books=2, model="tiny", first=0):
    return Codes(np.arange(first, first + frames), frames * HOP - short, HOP, model, books)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 319), st.integers(0, 20), st.sampled_from([1, 2]))
def test_what_is_cut_and_joined_again_is_the_whole(frames, short, place, books):
    whole, at = codes(frames, short, books), place * books
    if not 0 < at < frames:
        return
    found = Codes.join([whole[:at], whole[at:]])
    np.testing.assert_array_equal(found.indices, whole.indices)
    assert (found.samples, found.model, found.codebooks) == (whole.samples, "tiny", books)


def test_slices():
    whole = codes(9, short=100)
    assert whole[2:5].indices.tolist() == [2, 3, 4] and whole[2:5].samples == 3 * HOP
    assert whole[4:].samples == 5 * HOP - 100 == whole[-5:].samples
    assert whole[:100].samples == whole.samples and whole[-5:].indices[0] == 4
    assert codes(9, books=1)[3:].indices[0] == 3
    assert len(whole) == 9 and list(whole) == np.asarray(whole).tolist() == list(range(9))


def test_unknown_codebooks_are_cut_as_if_there_were_two():
    unknown = Codes(np.arange(6), 6 * HOP, HOP)
    assert unknown[2:].frames == 4
    with pytest.raises(InputError, match="cut at 2 or 4"):
        unknown[3:]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (slice(1, 4), "cut at 0 or 2"),
        (slice(-2, None), "cut at 6 or 8"),
        (slice(2, 2), "leaves none"),
        (slice(9, None), "leaves none"),
        (slice(None, None, 2), "leaves some out"),
        (slice(0.5, 2), "whole frames"),
        (3, "whole frames"),
        ([1, 2], "whole frames"),
    ],
)
def test_cuts_that_cannot_be(part, words):
    with pytest.raises(InputError, match=words):
        codes(9)[part]


def test_cuts_in_seconds():
    whole = codes(101)
    assert whole.cut(0.05, 1.0).indices.tolist() == list(range(2, 50))
    assert whole.cut(end=0.5).frames == 24 and whole.cut(1.0).indices[0] == 50
    assert whole.cut(0.01).frames == 101 and whole.cut(1, 99).frames == 51
    assert codes(9, books=1).cut(0.02).indices[0] == 1
    for start, end in ((-1, 1), (3, None), (float("nan"), 1), (1, 1), (0.5, 0.2), ("a", 1)):
        with pytest.raises(InputError):
            whole.cut(start, end)


def test_a_part_that_ends_within_a_pair_is_filled_up():
    first, second = codes(5, short=300), codes(3, short=7, first=50)
    found = Codes.join([first, second])
    assert found.indices.tolist() == [0, 1, 2, 3, 4, 3, 50, 51, 52]
    assert found.samples == 9 * HOP - 7
    assert Codes.join([codes(5, books=1), codes(3, books=1)]).frames == 8
    assert Codes.join(iter([first])).indices.tolist() == first.indices.tolist()


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([], "at least one"),
        ([np.arange(4)], "list of Codes"),
        (3, "list of Codes"),
        (codes(4), "list of Codes"),
        ([codes(4), codes(4, model="other")], "other, tiny"),
        ([codes(4), Codes(np.arange(4), 640, 160)], "hops differ"),
        ([codes(1), codes(4)], "part 0: has 1 codes of 2"),
    ],
)
def test_what_cannot_be_joined(parts, words):
    with pytest.raises(InputError, match=words):
        Codes.join(parts)


def test_a_part_of_unknown_origin_leaves_the_whole_unknown():
    assert Codes.join([codes(4), codes(4, model=None)]).model is None
