"""A sound like a vowel, for tests of what is done to voices."""

import numpy as np

RATE = 16_000


def vowel(seconds=1.0, pitch=150.0, level=0.1, seed=0):
    """Harmonics of a slightly gliding `pitch` (Hz) under two formants: float32 [T] at 16 kHz."""
    time = np.arange(round(seconds * RATE)) / RATE
    f0 = pitch * (1 + 0.02 * np.sin(2 * np.pi * 1.5 * time))
    phase, tone = 2 * np.pi * np.cumsum(f0) / RATE, np.zeros_like(time)
    for k in range(1, 30):
        near = np.exp(-(((k * f0 - 600) / 500) ** 2)) + 0.4 * np.exp(
            -(((k * f0 - 1800) / 600) ** 2)
        )
        tone += near * np.sin(k * phase)
    tone += 1e-3 * np.random.default_rng(seed).standard_normal(len(tone))
    return (level * tone / np.sqrt(np.mean(tone**2))).astype(np.float32)
