import math
from importlib import import_module

import numpy as np
import pytest
from synthetic_voice import sung

from vqspeech.audio.level import level_gain
from vqspeech.evaluation.metrics.networks import dnsmos, speaker_similarity, voice_embedding


@pytest.mark.parametrize("seconds", [0.3, 10.5])
def test_dnsmos_is_that_of_speechmos_at_the_nominal_level(seconds):
    theirs = import_module("speechmos.dnsmos")
    wave = sung(seconds)[0]
    expected = theirs.run(np.clip(wave * level_gain(wave), -1, 1), 16_000)
    found = dnsmos(wave)
    for ours, name in zip(("ovrl", "sig", "bak"), ("ovrl_mos", "sig_mos", "bak_mos"), strict=True):
        assert found[f"dnsmos_{ours}"] == pytest.approx(expected[name], abs=1e-4)


def test_dnsmos_does_not_depend_on_the_level(voice):
    assert dnsmos(0.3 * voice)["dnsmos_ovrl"] == pytest.approx(
        dnsmos(voice)["dnsmos_ovrl"], abs=0.02
    )


@pytest.mark.parametrize("samples", [0, 1, 3999, 16_000])
def test_dnsmos_of_silence_is_undefined(samples):
    scores = dnsmos(np.zeros(samples, np.float32))
    assert len(scores) == 3 and all(math.isnan(score) for score in scores.values())


def test_a_voice_is_nearer_to_itself_than_to_another():
    low, again, high = (
        voice_embedding(sung(2.0, *span, seed=seed)[0])
        for seed, span in enumerate([(90, 120), (90, 120), (210, 300)])
    )
    same, other = speaker_similarity(low, again), speaker_similarity(low, high)
    assert 0.95 < same <= 1 + 1e-6
    assert other < same - 0.05


@pytest.mark.parametrize("samples", [0, 1, 3999, 16_000])
def test_silence_has_no_voice(samples):
    assert voice_embedding(np.zeros(samples, np.float32)) is None
    assert math.isnan(speaker_similarity(None, np.ones(256)))
