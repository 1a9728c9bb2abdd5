import math

import pytest
import torch

from vqspeech.nn.filter_banks import LOG_FLOOR, LOW_FIRST, LOW_FLOOR, LogMel, LowSpectrum

HOP = 160
BANKS = [(LogMel(20), 120, LOG_FLOOR), (LowSpectrum(20), 432, LOW_FLOOR)]
"""With the samples to either side of a frame that it depends on, and the smallest magnitude."""
BIN_HZ = 16_000 / 1024


def tone(*hertz, frames=10):
    time = torch.arange(frames * HOP) / 16_000
    return sum(torch.sin(2 * math.pi * f * time) for f in hertz)[None]


@pytest.mark.parametrize("bank", [bank for bank, *_ in BANKS])
def test_one_frame_every_ten_milliseconds(bank):
    assert bank(torch.randn(2, 7 * HOP)).shape == (2, 20, 7)
    assert bank.centres().shape == (20,) and bool((bank.centres().diff() > 0).all())


@pytest.mark.parametrize(("bank", "margin", "floor"), BANKS)
def test_silence_is_the_floor(bank, margin, floor):
    silence = torch.full((1, 20, 1), math.log(floor))
    torch.testing.assert_close(bank(torch.zeros(1, HOP)), silence)


@pytest.mark.parametrize(("bank", "margin", "floor"), BANKS)
def test_a_frame_sees_its_own_samples_and_a_margin(bank, margin, floor):
    wave = torch.randn(1, 11 * HOP).requires_grad_()
    bank(wave)[..., 5].sum().backward()
    seen = wave.grad[0].nonzero()[:, 0]
    # The Hann window's first weight is zero.
    assert (int(seen[0]), int(seen[-1])) == (5 * HOP - margin + 1, 6 * HOP + margin - 1)


def test_a_low_frame_is_centred_on_the_middle_of_its_samples():
    wave = torch.zeros(1, 9 * HOP)
    wave[0, 4 * HOP + HOP // 2] = 1.0
    low = LowSpectrum(30)(wave)[0]
    # The spectrum of an impulse is flat, as high as the window's weight there.
    torch.testing.assert_close(low[:, 4], torch.zeros(30), atol=1e-4, rtol=0)
    weight = math.cos(math.pi * HOP / 1024) ** 2
    torch.testing.assert_close(low[:, [3, 5]].exp(), torch.full((30, 2), weight))
    floor = torch.full((30, 2), math.log(LOW_FLOOR))  # further than its window reaches
    torch.testing.assert_close(low[:, [0, 8]], floor)


@pytest.mark.parametrize("hertz", [63, 125, 250, 500, 1000])
def test_a_tone_peaks_in_its_low_bin(hertz):
    low = LowSpectrum(64)
    peak = int(low(tone(hertz))[0, :, 5].argmax())
    assert peak == round(hertz / BIN_HZ) - LOW_FIRST
    assert float(low.centres()[peak]) == pytest.approx(hertz, abs=BIN_HZ / 2)


def test_harmonics_of_a_low_voice_are_apart():
    low = LowSpectrum(64)(tone(80, 160, 240, frames=20))[0, :, 10]
    peaks, gaps = (
        low[[round(hertz / BIN_HZ) - LOW_FIRST for hertz in row]]
        for row in ((80, 160, 240), (120, 200))
    )
    assert float(peaks.min() - gaps.max()) > 1.5


@pytest.mark.parametrize("hertz", [200, 1000, 3000, 6000])
def test_a_tone_peaks_in_its_band(hertz):
    bank = LogMel(80)
    mel = bank(tone(hertz))[0, :, 5]
    centre = float((bank.filters[:, mel.argmax()] * torch.linspace(0, 8000, 257)).sum())
    centre /= float(bank.filters[:, mel.argmax()].sum())
    assert centre == pytest.approx(hertz, rel=0.1)
    assert float(bank.centres()[mel.argmax()]) == pytest.approx(centre, rel=1e-3)


@pytest.mark.parametrize("bank", [bank for bank, *_ in BANKS])
def test_mixed_precision_does_not_touch_it(bank):
    wave = 0.1 * torch.randn(1, 5 * HOP)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = bank(wave)
    assert torch.equal(mixed, bank(wave))
