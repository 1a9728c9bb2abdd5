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
    table = dsp.mu_law_table()
    assert table.dtype == np.float32 and table.shape == (256,)
    assert table[[0, 128, 255]].tolist() == [-1.0, 0.0, 1.0]
    assert (np.diff(table) > 0).all()


def test_mu_law_steps_are_finest_at_zero():
    steps = np.diff(dsp.mu_law_table())
    assert steps.argmin() in (127, 128) and steps[0] > 100 * steps[127]
    assert (np.abs(dsp.mu_law_table()) < 0.1).sum() > 100, "half of the levels for the quiet"
