import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.evaluation.report.summary import (
    average,
    averages,
    differences,
    over_seeds,
    spreads,
)


def test_what_is_undefined_is_skipped_and_counted():
    found = average([1.0, math.nan, 3.0])
    assert (found.mean, found.count) == (2, 2)
    assert found.margin > 0
    none = average([math.nan])
    assert math.isnan(none.mean) and math.isnan(none.margin) and none.count == 0
    assert math.isnan(average([5.0]).margin)


def test_words_weigh_by_their_number():
    scores = [{"words_right": 100.0, "words": 1}, {"words_right": 0.0, "words": 9}]
    scores += [{"words_right": math.nan, "words": 0}, {"mel_distance": 4.0}]
    found = averages(scores)
    assert found["words_right"].mean == 10
    assert found["words_right"].count == 2
    assert found["mel_distance"].mean == 4
    assert "pesq" not in found


def test_a_silent_recording_which_has_no_words_is_left_out_of_differences():
    silent = {"words_right": math.nan, "words_kept": math.nan}  # as `score` gives it
    heard = {"words_right": 50.0, "words_kept": math.nan, "words": 2, "kept": 0}
    found = differences([silent, heard | {"words_right": 75.0}], [silent, heard])
    assert found["words_right"][::2] == (25.0, 1) and found["words_kept"].count == 0


def test_the_margin_is_that_of_the_mean():
    values = [0.0, 1.0] * 200
    assert average(values).margin == pytest.approx(1.96 * 0.5 / math.sqrt(400), rel=0.1)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_the_mean_lies_between_the_values(values):
    found = average(values)
    assert min(values) - 1e-6 <= found.mean <= max(values) + 1e-6
    assert found.margin >= 0


def test_means_over_seeds_skip_what_is_undefined():
    scores = [{"pesq": 1.0, "estoi": math.nan}, {"pesq": 2.0, "estoi": math.nan}]
    found = over_seeds([*scores, {"pesq": math.nan, "estoi": math.nan}])
    assert found["pesq"] == 1.5 and math.isnan(found["estoi"])


def test_the_spread_is_that_of_the_averages_and_not_of_the_utterances():
    one = [{"pesq": 1.0}, {"pesq": 3.0}]
    two = [{"pesq": 3.0}, {"pesq": 2.0}]
    assert spreads([one, two])["pesq"] == (2.0, 2.5)
    assert spreads([]) == {}
    assert math.isnan(spreads([[{"pesq": math.nan}]])["pesq"].low)
