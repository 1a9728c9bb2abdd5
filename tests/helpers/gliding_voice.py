"""A voice whose phase is known at every sample."""

import numpy as np
import torch

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
