"""Near-perfect-reconstruction filter bank: one signal <-> `bands` signals of 1/bands the rate.

Pseudo-QMF, cosine-modulated from one Kaiser-windowed prototype (Nguyen 1994, "Near-perfect-
reconstruction pseudo-QMF banks"; as in sub-band WaveNet, Okamoto et al. 2017). Both directions
are centred, so that sample n of a band belongs to samples bands*n .. of the signal: no delay.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = 64
"""Order of the prototype filter; its length is TAPS + 1."""
CUTOFF, BETA = 0.14115435, 8.65972783
"""Of half the sample rate, and the Kaiser window's shape: the pair that minimises the error of
analysis and synthesis of white noise for four bands (64.9 dB; tests/nn/test_subbands.py)."""


def filters(bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Analysis and synthesis filters, each [bands, TAPS + 1]; four bands only."""
    n = np.arange(TAPS + 1) - TAPS / 2
    prototype = CUTOFF * np.sinc(CUTOFF * n) * np.kaiser(TAPS + 1, BETA)
    k = np.arange(bands)[:, None]
    angle = (2 * k + 1) * math.pi / (2 * bands) * n
    phase = (-1.0) ** k * math.pi / 4
    return 2 * prototype * np.cos(angle + phase), 2 * prototype * np.cos(angle - phase)


class FilterBank(nn.Module):
    """Analysis and synthesis; with `bands = 1` both are the identity."""

    analysis: Tensor
    synthesis: Tensor

    def __init__(self, bands: int):
        super().__init__()
        self.bands = bands
        if bands > 1:
            analysis, synthesis = filters(bands)
            here = {"dtype": torch.float32, "device": "cpu"}  # values, on the meta device too
            # conv1d correlates: flipped, it convolves.
            flipped = torch.tensor(analysis[:, None, ::-1].copy(), **here)
            upsampled = torch.tensor(synthesis[:, None] * bands, **here)
            self.register_buffer("analysis", flipped, persistent=False)
            self.register_buffer("synthesis", upsampled, persistent=False)

    def split(self, wave: Tensor) -> Tensor:
        """[B, T] to [B, bands, ceil(T / bands)]; silence is assumed beyond both ends."""
        if self.bands == 1:
            return wave[:, None]
        wave = F.pad(wave, (0, -wave.shape[-1] % self.bands))
        return F.conv1d(wave[:, None], self.analysis, stride=self.bands, padding=TAPS // 2)[
            ..., : wave.shape[-1] // self.bands
        ]

    def join(self, bands: Tensor) -> Tensor:
        """[B, bands, N] to [B, N * bands]."""
        return self.overlap(bands)[..., TAPS // 2 :][..., : bands.shape[-1] * self.bands]

    def overlap(self, bands: Tensor) -> Tensor:
        """[B, bands, N] to the whole response [B, (N - 1) * bands + TAPS + 1].

        It starts TAPS / 2 samples early; responses of consecutive blocks add up where they overlap.
        """
        if self.bands == 1:
            return F.pad(bands[:, 0], (TAPS // 2, TAPS // 2))
        return F.conv_transpose1d(bands, self.synthesis, stride=self.bands)[:, 0]
