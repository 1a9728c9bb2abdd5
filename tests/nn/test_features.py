import math

import pytest
import torch

from vqspeech.nn.features import LOG_FLOOR, LogMel

HOP, MARGIN = 160, 120


def test_one_frame_every_ten_milliseconds():
    assert LogMel(20)(torch.randn(2, 7 * HOP)).shape == (2, 20, 7)


def test_silence_is_the_floor():
    assert torch.equal(LogMel(20)(torch.zeros(1, HOP)), torch.full((1, 20, 1), math.log(LOG_FLOOR)))


def test_a_frame_sees_its_own_samples_and_a_margin():
    wave = torch.randn(1, 9 * HOP).requires_grad_()
    LogMel(80)(wave)[..., 4].sum().backward()
    seen = wave.grad[0].nonzero()[:, 0]
    # The Hann window's first weight is zero.
    assert (int(seen[0]), int(seen[-1])) == (4 * HOP - MARGIN + 1, 5 * HOP + MARGIN - 1)


@pytest.mark.parametrize("hertz", [200, 1000, 3000, 6000])
def test_a_tone_peaks_in_its_band(hertz):
    bank = LogMel(80)
    time = torch.arange(10 * HOP) / 16_000
    mel = bank(torch.sin(2 * math.pi * hertz * time)[None])[0, :, 5]
    centre = float((bank.filters[:, mel.argmax()] * torch.linspace(0, 8000, 257)).sum())
    centre /= float(bank.filters[:, mel.argmax()].sum())
    assert centre == pytest.approx(hertz, rel=0.1)


def test_mixed_precision_does_not_touch_it():
    bank, wave = LogMel(80), 0.1 * torch.randn(1, 5 * HOP)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = bank(wave)
    assert torch.equal(mixed, bank(wave))
