"""What the encoder hears in training: rooms, noise, other voices, telephones."""

import math

import numpy as np
import pytest
import torch

from vqspeech.config.training import DegradationConfig
from vqspeech.nn import degradation
from vqspeech.nn.degradation import (
    babble,
    band_passed,
    between,
    coloured,
    degraded,
    level,
    mixed,
    reverberated,
)

KINDS = ("reverberation", "noise", "babble", "narrow_band")
ALL = dict.fromkeys(KINDS, 0.5)


def waves(batch=6, samples=4800):
    """Tones of several levels, each of another frequency, with pauses."""
    time = torch.arange(samples) / 16_000
    hertz = 200 + 230 * torch.arange(batch)[:, None]
    loud = 0.02 * (1 + torch.arange(batch)[:, None])
    return loud * torch.sin(2 * math.pi * hertz * time) * (torch.sin(40 * time) > -0.3)


def decibels(over, under):
    return 20 * torch.log10(level(over) / level(under))


def test_nothing_asked_for_is_nothing_done_and_nothing_drawn():
    wave, state = waves(), torch.get_rng_state()
    assert degraded(DegradationConfig(), wave) is wave
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", KINDS)
def test_each_happens_to_its_share_of_the_crops(kind):
    wave = waves(64, 800)
    for chance, least, most in ((1.0, 64, 64), (0.4, 10, 42)):
        torch.manual_seed(3)
        found = degraded(DegradationConfig(**{kind: chance}), wave)
        assert found.shape == wave.shape and found.dtype == wave.dtype
        assert bool(torch.isfinite(found).all())
        changed = (found != wave).any(1).sum()
        assert least <= int(changed) <= most


def test_the_same_seed_degrades_alike():
    config, wave = DegradationConfig(**ALL), waves()
    torch.manual_seed(1)
    one, other = degraded(config, wave), degraded(config, wave)
    torch.manual_seed(1)
    assert torch.equal(degraded(config, wave), one) and not torch.equal(one, other)


@pytest.mark.parametrize("kind", [*KINDS, None])
def test_workers_hear_what_one_with_the_whole_batch_hears(monkeypatch, kind):
    config = DegradationConfig(**(ALL if kind is None else {kind: 0.7}))
    wave = waves(6)
    torch.manual_seed(2)
    whole = degraded(config, wave)
    monkeypatch.setattr(degradation, "world", lambda: 3)
    monkeypatch.setattr(degradation, "rows_of_all", lambda own, rows: wave[rows])
    for rank in range(3):
        monkeypatch.setattr(degradation, "rank", lambda rank=rank: rank)
        torch.manual_seed(2)
        own = slice(2 * rank, 2 * rank + 2)
        torch.testing.assert_close(degraded(config, wave[own]), whole[own])


@pytest.mark.parametrize("kind", [*KINDS, None])
@pytest.mark.parametrize(("batch", "samples"), [(1, 320), (2, 321), (3, 1)])
def test_silence_and_odd_shapes_go_through(kind, batch, samples):
    config = DegradationConfig(**(dict.fromkeys(KINDS, 1.0) if kind is None else {kind: 1.0}))
    silent = degraded(config, torch.zeros(batch, samples))
    assert silent.shape == (batch, samples)
    assert float(silent.abs().max()) < 1e-6
    assert bool(torch.isfinite(degraded(config, 0.1 * torch.randn(batch, samples))).all())


def test_noise_is_as_loud_as_asked():
    wave = waves()
    for limits in ((20.0, 20.0), (5.0, 30.0)):
        share = torch.linspace(0, 1, len(wave))[:, None]
        found = mixed(wave, torch.randn_like(wave), between(limits, share))
        wanted = limits[0] + (limits[1] - limits[0]) * share
        torch.testing.assert_close(decibels(wave, found - wave), wanted, atol=0.01, rtol=0)


def test_noise_has_several_colours():
    torch.manual_seed(0)
    white = torch.randn(3, 16_000)
    found = coloured(white, torch.tensor([[0.0], [0.5], [1.0]]))
    torch.testing.assert_close(found[0], white[0], atol=1e-4, rtol=0)
    power = torch.fft.rfft(found).abs().square()
    for row, fall in enumerate((0.0, 3.01, 6.02)):  # dB an octave
        low, high = power[row, 1000:1400].mean(), power[row, 4000:5600].mean()
        assert float(10 * torch.log10(low / high)) == pytest.approx(2 * fall, abs=0.8)


def test_babble_is_of_others():
    wave = waves(6)
    found = babble(wave)
    for row in range(6):
        own = wave[row] / level(wave)[row]
        others = {
            other
            for other in range(6)
            if abs(float((found[row] * wave[other] / level(wave)[other]).mean())) > 0.5
        }
        assert len(others) == 3 and row not in others
        assert abs(float((found[row] * own).mean())) < 0.5
    assert babble(wave[:1]).shape == (1, 4800) and bool(torch.isfinite(babble(wave[:2])).all())


def test_a_room_keeps_level_and_delays_nothing():
    torch.manual_seed(0)
    click = torch.zeros(4, 16_000)
    click[:, 3000] = 1.0
    seconds = torch.tensor([[0.1], [0.2], [0.3], [0.5]])
    direct = torch.tensor([[0.0], [6.0], [12.0], [20.0]])
    found = reverberated(click, torch.randn(4, 9600), seconds, direct)
    torch.testing.assert_close(level(found), level(click))
    assert bool((found[:, :3000].abs() < 1e-4).all()), "nothing before the sound itself"
    for row in range(4):
        assert int(found[row].abs().argmax()) == 3000
        straight, late = found[row, 3000], found[row, 3001:]
        ratio = 10 * torch.log10(straight.square() / late.square().sum())
        assert float(ratio) == pytest.approx(float(direct[row]), abs=0.1)
        if 3000 + 16_000 * seconds[row] < 12_000:  # 60 dB after its time
            end = 3000 + int(16_000 * seconds[row])
            begin_power, end_power = late[:400].square().mean(), found[row, end:][:400].square()
            fall = 10 * torch.log10(begin_power / end_power.mean())
            assert float(fall) == pytest.approx(60, abs=10)


def test_a_narrow_band_is_that_of_a_telephone():
    time = torch.arange(16_000) / 16_000
    for hertz, kept in ((100, False), (500, True), (2500, True), (3900, False), (6000, False)):
        wave = torch.sin(2 * math.pi * hertz * time)[None]
        found = band_passed(wave, torch.tensor([[3400.0]]))
        ratio = float(level(found) / level(wave))
        assert (ratio > 0.95) if kept else (ratio < 0.05), hertz
        if kept:
            torch.testing.assert_close(found, wave, atol=0.02, rtol=0)  # in phase
    wide = band_passed(torch.sin(2 * math.pi * 3700 * time)[None], torch.tensor([[4000.0]]))
    assert float(level(wide)) > 0.69


def test_half_precision_is_left_outside():
    wave = waves()
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(0)
        found = degraded(DegradationConfig(**ALL), wave)
    torch.manual_seed(0)
    assert np.array_equal(found.numpy(), degraded(DegradationConfig(**ALL), wave).numpy())
