"""The phase of the fundamental, as measured in a recording."""

import numpy as np
import pytest
from gliding_voice import gliding_voice

from vqspeech.audio.phase import measured_phase


def turned(angle):
    """An angle brought to -pi..pi."""
    return np.angle(np.exp(1j * np.asarray(angle, np.float64)))


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("off", [0.98, 1.0, 1.02])
def test_measured_phase_follows_the_voice_where_the_track_does_not(bands, off):
    wave, f0, phase = gliding_voice()
    found = measured_phase(wave, off * f0, bands)
    assert found.shape == (1, wave.shape[1] // bands)
    apart = turned(found[0].numpy() - phase[::bands])[480 // bands : -480 // bands]
    middle = np.angle(np.exp(1j * apart).mean())
    assert np.abs(turned(apart - middle)).max() < 0.2
