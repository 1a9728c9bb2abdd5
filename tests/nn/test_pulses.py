"""Pulses: found where they are, the right way up, whatever F0's own phase is."""

import numpy as np
import pytest
import torch
from gliding_voice import pulsed_voice

from vqspeech.nn.excitation import pulse_phase
from vqspeech.nn.pulses import PLACES, SHAPE, PulseTracker

TRACK = PulseTracker()
PULSE = (np.argmax(SHAPE) + 0.5) / len(SHAPE)
"""Where in its period the shape has its pulse."""


def phases_of_pulses(wave, f0, places):
    """In periods from where the shape has its pulse, -0.5 to 0.5, of all but the first and last."""
    found = TRACK(wave, f0)
    phase = pulse_phase(f0, found.offset, 1)[0].numpy() / (2 * np.pi)
    away = phase[places[3:-3]] - PULSE
    return away - np.round(away)


@pytest.mark.parametrize("f0", [90.0, 140.0, 220.0])
@pytest.mark.parametrize("shift", [0.0, 0.25, 0.6])
def test_a_pulse_is_where_the_shape_has_it(f0, shift):
    away = phases_of_pulses(*pulsed_voice(shift, f0))
    # A step of 4,000 a second, and half a place, either way.
    assert np.abs(away - away.mean()).max() < 1.5 * f0 / 4000 + 1 / PLACES
    assert abs(away.mean()) < 0.2


def test_a_track_that_is_off_is_followed():
    wave, f0, places = pulsed_voice(0.0, 120.0)
    away = phases_of_pulses(wave, 1.01 * f0, places)
    assert np.abs(away - away.mean()).max() < 0.1
    of_track = pulse_phase(1.01 * f0, torch.zeros_like(f0), 1)[0].numpy()[places[3:-3]]
    drift = np.unwrap(of_track) / (2 * np.pi)
    assert np.ptp(drift) > 0.3


def test_polarity_is_of_the_recording_not_of_its_level():
    wave, f0, _ = pulsed_voice()
    both = TRACK(torch.cat([wave, -wave, -0.2 * wave]), f0.repeat(3, 1))
    assert both.polarity.tolist() == [1, -1, -1]
    assert torch.equal(both.offset[0], both.offset[1])


def test_pulses_of_two_voices_are_each_ones_own():
    first, second = pulsed_voice(0.1, 110.0), pulsed_voice(0.7, 190.0)
    wave, f0 = (torch.cat([first[n], second[n]]) for n in (0, 1))
    together = TRACK(wave, f0)
    for row, one in enumerate((first, second)):
        assert torch.equal(together.offset[row : row + 1], TRACK(*one[:2]).offset)


def test_after_a_pause_the_path_is_free():
    parts = [pulsed_voice(shift) for shift in (0.0, 0.5)]
    pause = torch.zeros(1, 1600)
    wave = torch.cat([parts[0][0], pause, parts[1][0]], 1)
    f0 = torch.cat([parts[0][1], torch.zeros(1, 10), parts[1][1]], 1)
    offset = TRACK(wave, f0).offset[0].numpy()
    before, after = np.median(offset[5:50]), np.median(offset[80:-5])
    # Both last a whole number of periods, so that F0's phase is the same in both.
    assert (after - before) % 1 == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_without_a_voice_there_is_nothing_to_find(level):
    wave = level * torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3200))).float()
    found = TRACK(wave, torch.zeros(1, 20))
    assert found.polarity.tolist() == [1] and bool(found.offset.isfinite().all())
