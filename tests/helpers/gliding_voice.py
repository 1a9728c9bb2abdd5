"""A voice whose phase is known at every sample."""

import numpy as np
import torch
from scipy.signal import lfilter

FRAME = 160


def gliding_voice(seconds=1.0):
    """A voice from 100 to 220 Hz and back: its wave [1, T], F0 frames [1, n] and phase [T]."""
    t = np.arange(round(16_000 * seconds)) / 16_000
    f0 = 160 - 60 * np.cos(2 * np.pi * t / seconds)
    phase = 2 * np.pi * np.cumsum(f0) / 16_000
    parts = [0.1 / k * np.cos(k * phase + 0.7 * k**2) for k in range(1, 12)]
    tensors = sum(parts), f0[FRAME // 2 :: FRAME]
    wave, frames = (torch.tensor(part, dtype=torch.float32)[None] for part in tensors)
    return wave, frames, phase


def pulsed_voice(shift=0.0, f0=120.0, seconds=0.6, noise=0.003):
    """A pulse a period through two formants, pulses `shift` periods early: its wave [1, T], F0 [1,
    n] and the samples of its pulses. Noise, so that a predictor finds something to predict."""
    samples = round(16_000 * seconds)
    period = 16_000 / f0
    places = np.round(np.arange(1 - shift, samples / period) * period).astype(int)
    places = places[places < samples]
    wave = noise * np.random.default_rng(0).standard_normal(samples)
    wave[places] += 1.0
    for frequency, width in ((500, 80), (1500, 120)):
        radius, angle = np.exp(-np.pi * width / 16_000), 2 * np.pi * frequency / 16_000
        wave = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], wave)
    wave = torch.tensor(0.1 * wave / np.abs(wave).max(), dtype=torch.float32)[None]
    return wave, torch.full((1, samples // FRAME), f0), places
