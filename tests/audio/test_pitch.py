import numpy as np
import pytest
from synthetic_voice import sung

from vqspeech.audio.pitch import at_samples, f0_frames, track
from vqspeech.audio.signal import FILTER_BANK_HOP


@pytest.fixture(scope="module")
def melody():
    wave, f0 = sung(2.0)
    return track(wave), f0


def test_a_known_melody_is_found_and_pauses_are_unvoiced(melody):
    found, truth = melody
    truth = truth[np.minimum(np.arange(len(found.f0)) * FILTER_BANK_HOP, len(truth) - 1)]
    assert 0.3 < found.voiced.mean() < 0.9
    error = np.abs(np.log2(found.f0[found.voiced] / truth[found.voiced]))
    assert np.median(error) < 0.02
    assert np.isnan(found.f0[~found.voiced]).all()


@pytest.mark.parametrize("samples", [0, 1, 3999, 16_000])
def test_silence_of_any_length_is_unvoiced(samples):
    assert not track(np.zeros(samples, np.float32)).voiced.any()


@pytest.mark.parametrize("samples", [31_999, 32_000, 32_001])
def test_frames_of_ten_milliseconds(samples):
    wave, truth = sung(2.1)
    found = f0_frames(wave[:samples])
    assert found.shape == (-(-samples // FILTER_BANK_HOP),) and found.dtype == np.float32
    middles = np.arange(len(found)) * FILTER_BANK_HOP + FILTER_BANK_HOP // 2
    voiced = found > 0
    assert 0.3 < voiced.mean() < 0.9
    assert np.median(np.abs(np.log2((found / truth[middles])[voiced]))) < 0.02


@pytest.mark.parametrize("samples", [1, 159, 161])
def test_frames_of_next_to_nothing_are_unvoiced(samples):
    assert f0_frames(np.ones(samples, np.float32)).tolist() == [0.0] * -(
        -samples // FILTER_BANK_HOP
    )


def test_f0_between_two_values():
    f0 = np.array([100.0, 400.0, np.nan, 80.0])
    found = at_samples(f0, np.array([0, 80, 160, 320, 479, 481, 800, 960, 1279, 1280]))
    wanted = [100, 100 * 2**0.5, 200, 400, 400, 0, 80, 80, 80, 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
