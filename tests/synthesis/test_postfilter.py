"""The post-filter: what it does to noise, to what is right already, and to blocks."""

import math

import numpy as np
import pytest
import torch

from vqspeech.config.rendering import PostFilterConfig
from vqspeech.nn.filter_banks import LogMel
from vqspeech.synthesis.postfilter import (
    PIECE,
    PostFilter,
    margin,
    postfilter,
    with_onsets,
    with_quiet_pauses,
)

MELS, HOP = 80, 160
USUAL = PostFilterConfig()
MARGIN = margin(USUAL)


def log_mel_of(wave):
    return LogMel(MELS)(torch.from_numpy(wave)[None])[0].numpy()


def voice(frames, seed=0):
    """A hum with a moving formant and pauses, float32 [frames * 160]."""
    t = np.arange(frames * HOP) / 16_000
    phase = 2 * np.pi * (120 * t + 5 * np.sin(2 * np.pi * t))
    hum = sum(np.sin(k * phase) / k for k in range(1, 30))
    pauses = (np.sin(2 * np.pi * 1.3 * t) > -0.5).astype(float)
    noise = np.random.default_rng(seed).standard_normal(len(t))
    return (0.05 * hum * pauses + 1e-4 * noise).astype(np.float32)


def distance(wave, log_mel):
    """Mean distance of log-mels, in dB, away from the ends."""
    return 8.686 * np.abs(log_mel_of(wave) - log_mel)[:, 4:-4].mean()


def test_noise_gets_the_envelope_and_what_is_right_keeps_it():
    clean = voice(200)
    target = log_mel_of(clean)
    noisy = clean + (0.01 * np.random.default_rng(1).standard_normal(len(clean))).astype(np.float32)
    made = postfilter(noisy, target, USUAL)
    assert made.shape == clean.shape and made.dtype == np.float32
    assert distance(noisy, target) > 10
    assert distance(made, target) < 3
    assert distance(postfilter(clean, target, USUAL), target) < 2
    # The hum's own waveform is still there: its phases were the sampled ones.
    assert np.corrcoef(made, clean)[0, 1] > 0.9


def test_pauses_are_quieter_and_the_rest_stays():
    log_mel = torch.tensor([-9.2, -8.9, -5.5, -2.0, -1.0])
    for hush, near in ((2.0, 0.08), (5.0, 0.16)):
        config = PostFilterConfig(hush_db=hush)
        moved = 20 / math.log(10) * (with_quiet_pauses(log_mel, config) - log_mel)
        expected = torch.tensor([-hush, -hush, 0.0, 0.0, 0.0])
        assert torch.allclose(moved, expected, atol=near)


@pytest.mark.parametrize(
    "changes",
    [{"phase_rounds": 0}, {"onset_gain": 2.0}, {"hush_db": 8.0, "hush_level": -3.0}],
)
def test_the_models_settings_are_what_it_does(changes):
    """Whatever they are, blocks are the whole."""
    config, frames = PostFilterConfig(**changes), 2 * PIECE
    wave, target = voice(frames), log_mel_of(voice(frames, seed=2)) - 0.5
    whole, stream = postfilter(wave, target, config), PostFilter(config)
    assert np.abs(whole - postfilter(wave, target, USUAL)).max() > 1e-4
    stream.expect(target)
    made = [stream.add(part) for part in np.array_split(wave, 9)]
    np.testing.assert_allclose(np.concatenate([*made, stream.finish()]), whole, atol=2e-5)


def test_pitch_is_that_of_the_samples_not_of_the_target():
    frames = 200
    t = np.arange(frames * HOP) / 16_000
    low, high = (sum(np.sin(2 * np.pi * k * f * t) / k for k in range(1, 30)) for f in (100, 230))
    low, high = (0.05 * tone.astype(np.float32) for tone in (low, high))
    made = postfilter(high, log_mel_of(low), USUAL)
    spectrum = np.abs(np.fft.rfft(made[HOP * 10 : -HOP * 10]))
    hertz = np.fft.rfftfreq(len(made) - 20 * HOP, 1 / 16_000)
    comb = [spectrum[np.abs(hertz % f - f * (hertz % f > f / 2)) < 4].mean() for f in (230, 100)]
    assert comb[0] > 2 * comb[1]


@pytest.mark.parametrize("frames", [1, 3, PIECE, PIECE + MARGIN, 2 * PIECE + 7, 391])
@pytest.mark.parametrize("block", [77, 4_000, 10**6])
def test_blocks_are_the_whole(frames, block):
    wave, target = voice(frames), log_mel_of(voice(frames, seed=2)) - 0.5
    whole, stream = postfilter(wave, target, USUAL), PostFilter(USUAL)
    made = []
    for start in range(0, frames, 50):
        stream.expect(target[:, start : start + 50])
        part = wave[start * HOP : (start + 50) * HOP]
        made += [stream.add(part[i : i + block]) for i in range(0, len(part), block)]
    made = np.concatenate([*made, stream.finish()])
    assert made.shape == whole.shape
    np.testing.assert_allclose(made, whole, atol=2e-5)


def test_onsets_get_steeper_and_what_stays_stays():
    step = torch.zeros(3, 40)
    step[:, 20:] = 1.0
    made = with_onsets(step, 0.3)
    torch.testing.assert_close(made[:, :15], step[:, :15])
    torch.testing.assert_close(made[:, 25:], step[:, 25:])
    rise = float(made[0, 20] - made[0, 19])
    assert 1.2 < rise < 2 and float(made.max()) > 1 and float(made.min()) < 0
    level = torch.full((3, 7), -4.0)
    torch.testing.assert_close(with_onsets(level, 0.3), level)
    assert with_onsets(level[:, :1], 0.3).shape == (3, 1)


def test_silence_and_its_prediction():
    frames = 30
    floor = np.full((MELS, frames), np.log(1e-4), np.float32)
    for wave in (np.zeros(frames * HOP, np.float32), voice(frames)):
        made = postfilter(wave, floor, USUAL)
        assert np.isfinite(made).all()
        assert np.sqrt(np.mean(made**2)) < 1e-3  # the floor, 80 dB below speech


def test_memory_does_not_grow():
    stream = PostFilter(USUAL)
    wave, target = voice(50), log_mel_of(voice(50))
    for _ in range(40):
        stream.expect(target)
        stream.add(wave)
    assert len(stream._wave) <= (PIECE + 3 * MARGIN + 50) * HOP
    assert stream._log_mel.shape[1] <= PIECE + 3 * MARGIN + 50
