"""A sound like a voice: harmonics of a known melody, with formants and pauses."""

import numpy as np

RATE = 16_000


def sung(seconds=2.0, low=110.0, high=180.0, level=0.1, pauses=True, seed=0):
    """Harmonics under a gliding F0 with two formant-like peaks and pauses: float32 [T], its F0."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    f0 = low + (high - low) * (0.5 - 0.5 * np.cos(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    tone = np.zeros_like(time)
    for k in range(1, 30):
        heard = k * f0
        weight = np.exp(-(((heard - 600) / 500) ** 2)) + 0.4 * np.exp(
            -(((heard - 1800) / 600) ** 2)
        )
        tone += weight * np.sin(k * phase)
    if pauses:
        tone *= np.clip(4 * np.sin(2 * np.pi * 1.5 * time) + 2, 0, 1)
    tone += 1e-3 * rng.standard_normal(len(tone))
    return (level * tone / np.sqrt(np.mean(tone**2))).astype(np.float32), f0
