"""Lengths and mu-law. (The filter bank has its own test.)"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.audio import signal as dsp


@given(st.integers(0, 10**12), st.integers(1, 4096))
def test_frames_cover_samples_and_no_more(samples, hop):
    frames = dsp.frames_for(samples, hop)
    assert dsp.samples_for(frames, hop) >= samples
    assert dsp.samples_for(frames - 1, hop) < max(samples, 1)


@given(st.integers(1, 10**12), st.integers(1000, 10**6))
def test_resampled_length_is_exact_for_huge_files(samples, rate):
    length = dsp.resampled_length(samples, rate)
    assert (length - 1) * rate < samples * dsp.SAMPLE_RATE <= length * rate


def test_16_khz_keeps_its_length():
    assert dsp.resampled_length(12345, dsp.SAMPLE_RATE) == 12345


def test_mu_law_is_exact_at_zero_and_at_both_ends():
    x = np.array([0.0, 1.0, -1.0], np.float32)
    index = dsp.mu_law_encode(x)
    assert index.dtype == np.uint8
    assert index.tolist() == [dsp.MU_ZERO, 255, 0]
    assert dsp.mu_law_decode(index).tolist() == x.tolist()


def test_every_index_survives_the_round_trip():
    index = np.arange(dsp.MU_LEVELS, dtype=np.uint8)
    assert (dsp.mu_law_encode(dsp.mu_law_decode(index)) == index).all()
    assert (np.diff(dsp.mu_law_table()) > 0).all()


@given(st.floats(-1, 1, width=32))
def test_mu_law_error_is_bounded(x):
    # Half a step of the compressed scale (1 / 254), times the slope of the expansion,
    # ln(256) (|x| + 1 / 255), at the farther edge of the step.
    error = abs(float(dsp.mu_law_decode(dsp.mu_law_encode(x))) - x)
    half_step = 0.5 / (dsp.MU_LEVELS - 1 - dsp.MU_ZERO)
    assert error <= np.expm1(half_step * np.log(256)) * (abs(x) + 1 / dsp.MU) * 1.001


@given(st.floats(1, 2.0**100, width=32))
def test_beyond_full_scale_clips(x):
    assert dsp.mu_law_decode(dsp.mu_law_encode(np.float32([x, -x]))).tolist() == [1.0, -1.0]
