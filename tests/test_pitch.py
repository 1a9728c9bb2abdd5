import numpy as np
import pytest
from synthetic_voice import sung

from vqspeech.pitch import HOP, PitchTrack, compare, track


@pytest.fixture(scope="module")
def melody():
    wave, f0 = sung(2.0)
    return track(wave), f0


def test_a_known_melody_is_found_and_pauses_are_unvoiced(melody):
    found, truth = melody
    truth = truth[np.minimum(np.arange(len(found.f0)) * HOP, len(truth) - 1)]
    assert 0.3 < found.voiced.mean() < 0.9
    error = np.abs(np.log2(found.f0[found.voiced] / truth[found.voiced]))
    assert np.median(error) < 0.02
    assert np.isnan(found.f0[~found.voiced]).all()


def test_equal_tracks_agree(melody):
    scores = compare(melody[0], melody[0])
    assert scores["f0_correlation"] == pytest.approx(1)
    assert scores["voicing_agreement"] == 100


def test_an_upside_down_melody_is_anticorrelated(melody):
    found = melody[0]
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


@pytest.mark.parametrize("samples", [0, 1, 3999, 16_000])
def test_silence_of_any_length_is_unvoiced(samples):
    assert not track(np.zeros(samples, np.float32)).voiced.any()
