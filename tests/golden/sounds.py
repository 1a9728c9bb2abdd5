"""The recordings whose codes, samples and bytes `golden.json` has: speech and five signals."""

from pathlib import Path

import numpy as np

RATE = 16_000
SPEECH = Path(__file__).parents[2] / "egs" / "sentence.flac"


def signals() -> dict[str, np.ndarray]:
    """float32 [T] at 16 kHz by name; made from sums of products alone, the same everywhere."""
    rng = np.random.Generator(np.random.Philox(7))
    time = np.arange(2 * RATE) / RATE
    noise = rng.standard_normal(len(time))
    phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(2 * np.pi * 0.8 * time)) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    return {
        "noise": (0.1 * noise).astype(np.float32),
        "sweep": (0.2 * np.sin(2 * np.pi * (100 + 900 * time) * time)).astype(np.float32),
        "voice": (0.1 * voice).astype(np.float32),
        "clicks": (0.5 * (np.arange(len(time)) % 1601 == 0)).astype(np.float32),
        "odd length": (0.1 * voice + 0.01 * noise).astype(np.float32)[: 3 * 320 + 17],
    }
