import numpy as np
import pytest
from synthetic_voice import sung

from vqspeech.audio.pitch import PitchTrack, track
from vqspeech.evaluation.metrics.f0 import compare


@pytest.fixture(scope="module")
def melody():
    return track(sung(2.0)[0])


def test_equal_tracks_agree(melody):
    scores = compare(melody, melody)
    assert scores["f0_correlation"] == pytest.approx(1)
    assert scores["voicing_agreement"] == 100


def test_an_upside_down_melody_is_anticorrelated(melody):
    found = melody
    mirrored = PitchTrack(150.0**2 / found.f0, found.voiced)
    assert compare(found, mirrored)["f0_correlation"] == pytest.approx(-1)


def test_voicing_is_counted_over_all_frames():
    f0 = np.linspace(100, 120, 40)
    one = PitchTrack(f0, np.arange(40) < 30)
    two = PitchTrack(f0, np.arange(40) < 20)
    assert compare(one, two)["voicing_agreement"] == 75


def test_too_few_voiced_frames_or_a_monotone_is_nan():
    f0 = np.linspace(100, 120, 40)
    few = PitchTrack(f0, np.arange(40) < 9)
    flat = PitchTrack(np.full(40, 100.0), np.ones(40, bool))
    assert np.isnan(compare(few, few)["f0_correlation"])
    assert np.isnan(compare(flat, PitchTrack(f0, flat.voiced))["f0_correlation"])
    steady = PitchTrack(np.full(151, 120.0), np.ones(151, bool))  # rounding moves its mean
    assert np.isnan(compare(steady, steady)["f0_correlation"])
