"""What the WaveNet is told of the phase: in training as measured, in decoding run on from F0."""

import math

import numpy as np
import pytest
import torch
from gliding_voice import FRAME, gliding_voice, pulsed_voice

from vqspeech.audio.phase import measured_phase
from vqspeech.config.networks import DecoderConfig
from vqspeech.nn.excitation import PhaseWalk, TeacherExcitation

F0 = torch.tensor([[110.0, 117.3, 0.0, 0.0, 251.7, 90.1, 0.0, 180.0]])


def cycles_of(excitation):
    """The fundamental's phase [N] in cycles, 0 to 1, of an excitation [1, N, 2 count]."""
    count = excitation.shape[-1] // 2
    cosine, sine = excitation[0, :, 0].double(), excitation[0, :, count].double()
    return torch.atan2(sine, cosine) / (2 * math.pi) % 1.0


def test_what_training_tells():
    wave, f0, _ = gliding_voice()
    f0[:, 40:60] = 0
    same, told = TeacherExcitation(DecoderConfig(bands=4, harmonics=3))(wave, f0)
    assert same is wave
    assert told.shape == (1, 4000, 6)
    assert not told[:, 1600:2400].any()
    voiced = torch.cat([told[0, :1600], told[0, 2400:]])
    torch.testing.assert_close((voiced**2).sum(-1), torch.full((3200,), 3.0))
    phase = measured_phase(wave, f0, 4)[0, :1600]
    for k in (1, 2, 3):
        torch.testing.assert_close(told[0, :1600, k - 1], (k * phase).cos(), atol=1e-4, rtol=0)
        torch.testing.assert_close(told[0, :1600, k + 2], (k * phase).sin(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("shift", [0.0, 0.3, 0.9])
def test_of_pulses_it_tells_the_same_wherever_they_are_in_the_tracks_period(bands, shift):
    told = TeacherExcitation(DecoderConfig(bands=bands, harmonics=2, pulses=True))
    wave, f0, _ = pulsed_voice()
    moved, f0_moved, _ = pulsed_voice(shift)
    turned, first = told(-wave, f0)
    assert torch.equal(turned, wave)
    first, second = cycles_of(first), cycles_of(told(moved, f0_moved)[1])
    away = 2 * math.pi * (second - first - shift)[800 // bands : -800 // bands]
    assert float(torch.atan2(away.sin(), away.cos()).abs().max()) < 2 * math.pi * 0.06


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("cut", [1, 3])
def test_a_walk_in_blocks_is_the_walk_at_once(bands, cut):
    whole, walk = PhaseWalk(bands, 3)(F0), PhaseWalk(bands, 3)
    assert whole.shape == (1, F0.shape[1] * FRAME // bands, 6)
    parts = [walk(part) for part in F0.split(cut, 1)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("bands", [1, 4])
def test_a_walk_ends_where_the_integral_of_f0_says(bands):
    found = PhaseWalk(bands, 2)(F0).unflatten(1, (F0.shape[1], -1))
    gone = (F0[0].double() * 0.01).cumsum(0) % 1.0
    for frame, voiced in enumerate(F0[0] > 0):
        if voiced:
            assert float(cycles_of(found[:, frame])[-1]) == pytest.approx(
                float(gone[frame]), abs=1e-5
            )
        else:
            assert not found[:, frame].any()


def test_after_an_hour_the_phase_is_still_right():
    f0 = torch.tensor(np.random.default_rng(0).uniform(60, 400, (1, 6000)), dtype=torch.float32)
    walk = PhaseWalk(4, 1)
    for _ in range(60):
        found = walk(f0)
    gone = 60 * math.fsum(f0[0].tolist()) * 0.01
    apart = float(cycles_of(found)[-1]) - gone
    assert abs(apart - round(apart)) < 1e-3
