"""The high-pass, beside scipy's."""

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfilt

from vqspeech.audio.high_pass import CUTOFF_HZ, HighPass
from vqspeech.audio.signal import SAMPLE_RATE

NOISE = (0.1 * np.random.default_rng(0).standard_normal(20_000) + 0.2).astype(np.float32)


def test_it_is_the_butterworth_filter_of_second_order():
    sections = butter(2, CUTOFF_HZ, "highpass", fs=SAMPLE_RATE, output="sos")
    said = HighPass()(NOISE)
    assert said.dtype == np.float32
    np.testing.assert_allclose(said, sosfilt(sections, NOISE), atol=1e-7)


@pytest.mark.parametrize("sizes", [(1,), (2,), (1, 3, 700), (0, 160, 1), (5_000, 1, 2)])
def test_blocks_of_any_size_say_the_same(sizes):
    high_pass, said, at = HighPass(), [], 0
    while at < len(NOISE):
        for size in sizes:
            said.append(high_pass(NOISE[at : at + size]))
            at += size
    assert np.array_equal(np.concatenate(said), HighPass()(NOISE))


def test_offset_goes_and_speech_stays():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 200 * time).astype(np.float32)
    said = HighPass()(tone + np.float32(3))[SAMPLE_RATE // 2 :]
    assert abs(said.mean()) < 1e-3 and abs(said.max() - 1) < 0.01
    assert not HighPass()(np.zeros(100, np.float32)).any()


def test_what_a_program_has_set_of_pytorch_changes_nothing():
    with torch.autocast("cpu", torch.bfloat16), torch.device("meta"), torch.inference_mode():
        said = HighPass()(NOISE)
    assert np.array_equal(said, HighPass()(NOISE))
