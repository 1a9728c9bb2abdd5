import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.evaluation.metrics.signals import (
    find_delay,
    is_scorable,
    match,
    match_level,
    rms,
    shift,
)


@given(st.integers(-50, 50), st.integers(0, 60), st.integers(1, 60))
def test_shift_moves_and_fits(delay, samples, length):
    x = np.arange(1, samples + 1, dtype=np.float32)
    out = shift(x, delay, length)
    expected = [x[i + delay] if 0 <= i + delay < samples else 0 for i in range(length)]
    assert out.tolist() == expected


@pytest.mark.parametrize("delay", [320, 480, -160])
def test_a_delay_is_found_although_phases_are_not_kept(voice, delay):
    other = shift(-voice, -delay, len(voice))
    assert find_delay(voice, other) == delay


def test_without_a_delay_none_is_claimed(voice):
    noise = np.random.default_rng(0).standard_normal(len(voice))
    assert find_delay(voice, voice) == 0
    assert find_delay(voice, (voice + 0.03 * noise).astype(np.float32)) == 0
    assert find_delay(voice, noise.astype(np.float32)) == 0


def test_level_is_matched_and_clipped(voice):
    assert rms(match_level(voice, 0.01 * voice)) == pytest.approx(rms(voice), rel=1e-4)
    click = np.zeros(8000, np.float32)
    click[::100] = 1
    assert np.abs(match_level(np.full(8000, 0.9, np.float32), click)).max() == 1
    assert not match_level(voice, np.zeros(10, np.float32)).any()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 6000), st.integers(0, 6000))
def test_match_has_the_length_of_the_reference(length, other):
    rng = np.random.default_rng(length)
    a, b = (0.1 * rng.standard_normal(n).astype(np.float32) for n in (length, other))
    matched, delay = match(a, b)
    assert matched.shape == a.shape and matched.dtype == np.float32 and isinstance(delay, int)


def test_what_can_be_scored(voice):
    assert is_scorable(voice)
    assert not is_scorable(voice[:3999])
    assert not is_scorable(np.zeros(16_000, np.float32))
    broken = voice.copy()
    broken[7] = np.nan
    assert not is_scorable(broken)
    assert not is_scorable(match(voice, broken)[0])
