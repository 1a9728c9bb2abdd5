"""The filter bank gives back what it was given, to 60 dB, at every length and cut."""

import math

import pytest
import torch

from vqspeech.nn.subbands import TAPS, FilterBank

BANK = FilterBank(4)


def speech_like(samples):
    """Harmonics of a gliding voice under a syllable's envelope, and a little noise."""
    time = torch.arange(samples) / 16_000
    phase = 2 * math.pi * torch.cumsum(110 + 30 * torch.sin(5 * time), 0) / 16_000
    voice = sum(torch.sin(k * phase) / k for k in range(1, 40))
    return 0.1 * voice * torch.sin(9 * time) ** 2 + 0.003 * torch.randn(samples)


def noise(samples):
    return 0.2 * torch.randn(samples)


def decibels(error, signal):
    return 10 * math.log10(float(error.square().mean() / signal.square().mean()))


@pytest.mark.parametrize("signal", [noise, speech_like])
@pytest.mark.parametrize("samples", [16_000, 16_001, 15_999, 16_002])
def test_reconstruction_is_within_60_db(signal, samples):
    x = torch.nn.functional.pad(signal(samples), (TAPS, TAPS))
    back = BANK.join(BANK.split(x[None]))[0]
    assert len(back) == -(-len(x) // 4) * 4
    assert decibels(back[: len(x)] - x, x) < -60


def test_edges_of_a_signal_that_starts_and_ends_at_once():
    """What lies beyond the ends of the bands is lost, no more."""
    x = noise(4000)
    back = BANK.join(BANK.split(x[None]))[0]
    inner = slice(TAPS // 2, -TAPS // 2)
    assert decibels((back - x)[inner], x) < -60
    assert float((back - x).abs().max()) < float(x.abs().max())


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5, 63, 64, 65])
def test_short_signals(samples):
    x = noise(samples)[None]
    bands = BANK.split(x)
    assert bands.shape == (1, 4, -(-samples // 4))
    assert BANK.join(bands).shape == (1, bands.shape[-1] * 4)


def test_one_band_is_the_identity():
    bank, x = FilterBank(1), torch.randn(2, 37)
    assert torch.equal(bank.split(x), x[:, None])
    assert torch.equal(bank.join(bank.split(x)), x)


@pytest.mark.parametrize("band", range(4))
def test_a_tone_lands_in_its_band(band):
    hertz = 1000 + 2000 * band
    bands = BANK.split(torch.sin(2 * math.pi * hertz * torch.arange(8000) / 16_000)[None])[0]
    energy = bands[:, 100:-100].square().mean(1)
    others = torch.cat([energy[:band], energy[band + 1 :]])
    assert float(energy[band]) > 1e5 * float(others.max())


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_blocks_overlap_to_the_whole(count, size):
    bank, bands = FilterBank(count), torch.randn(2, count, 123)
    total = torch.zeros(2, 123 * count + 2 * TAPS)
    for start in range(0, 123, size):
        response = bank.overlap(bands[..., start : start + size])
        total[:, start * count : start * count + response.shape[-1]] += response
    whole = total[:, TAPS // 2 :][:, : 123 * count]
    torch.testing.assert_close(whole, bank.join(bands), rtol=1e-4, atol=1e-5)
