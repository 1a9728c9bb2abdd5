"""The high-pass: what it takes away, and that blocks are as the whole."""

import numpy as np
import pytest

from vqspeech.audio.signal import SAMPLE_RATE, HighPass

NOISE = (0.1 * np.random.default_rng(0).standard_normal(20_000) + 0.2).astype(np.float32)


@pytest.mark.parametrize("cuts", [[1], [2, 3], [1, 4, 704, 10_000], [19_999]])
def test_blocks_of_any_size_say_the_same(cuts):
    high_pass = HighPass()
    said = [high_pass(block) for block in np.split(NOISE, cuts)]
    assert np.array_equal(np.concatenate(said), HighPass()(NOISE))


def test_offset_goes_and_speech_stays():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 200 * time).astype(np.float32)
    said = HighPass()(tone + np.float32(3))[SAMPLE_RATE // 2 :]
    assert abs(said.mean()) < 1e-3 and abs(said.max() - 1) < 0.01
    assert not HighPass()(np.zeros(100, np.float32)).any()
