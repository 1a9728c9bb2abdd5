"""Long-term prediction: what a voice repeats after a period, in the lowest sub-band.

What a WaveNet does not know of a voice is noise that no envelope makes periodic. Speech coders have
long predicted its residual from what the short-term prediction left a period ago (Atal and
Schroeder 1984). What the network draws is then filtered into harmonics, as the short-term synthesis
filter makes formants of it, and the network has only to say by how much they are not.

How long a period is, the F0 that the codes predict says to the sampler, whose voice then has it. A
recording has its own, and half a step beside it there would be little left to predict: in training
the period is looked for round the recording's F0, as a speech encoder does. Only the lowest band:
in those above, decimated, a delay is no delay of the band's signal.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.signal import SAMPLE_RATE

FRACTIONS = 32
"""Places between two steps that a lag may have: it is an integer number of these."""
REACH = 4
"""Steps on each side of a period ago that its value is interpolated from."""
LOWEST_F0 = 40.0
"""Hz; a longer period counts as this one's."""
NEARBY = [1 + 0.01 * percent for percent in range(-6, 7)]
"""Lags over that of the recording's F0 among which training looks for its period."""


def interpolation() -> np.ndarray:
    """By fraction f of FRACTIONS, the weights of the values 1 - REACH to REACH steps before a whole
    lag, of which the value f steps before it is made: [FRACTIONS, 2 REACH], a windowed sinc."""
    fraction = np.arange(FRACTIONS)[:, None] / FRACTIONS
    distance = np.arange(1 - REACH, REACH + 1) - fraction
    return np.sinc(distance) * np.cos(math.pi * distance / (2 * REACH)) ** 2


class LongTermPrediction(nn.Module):
    """What the short-term prediction leaves of the lowest of `bands` sub-bands, over the deviation
    that it is expected to have: `gain` times what it was a period ago."""

    weights: Tensor

    def __init__(self, bands: int, gain: float):
        super().__init__()
        self.gain, self.rate = gain, SAMPLE_RATE / bands
        weights = torch.tensor(interpolation(), device="cpu")  # on the meta device too
        self.register_buffer("weights", weights, persistent=False)

    @property
    def steps(self) -> int:
        """Steps of the past that are needed."""
        return math.ceil(self.rate / LOWEST_F0) + REACH

    @property
    def left(self) -> float:
        """The deviation that it leaves, of 1, where it is right about a voice."""
        return math.sqrt(1 - self.gain**2)

    def lags(self, f0: Tensor) -> Tensor:
        """F0 [B, n] in Hz to the steps of a period, FRACTIONS times: int64 [B, n]; 0 where
        unvoiced."""
        heard = f0.clamp(LOWEST_F0, self.rate / (REACH + 1))  # an echo comes from the past alone
        return torch.where(f0 > 0, torch.round(FRACTIONS * self.rate / heard).long(), 0)

    def forward(self, residual: Tensor, lag: Tensor) -> Tensor:
        """The prediction [B, N] of a recording's residual [B, N] from its own past, with its own
        period near the lags [B, n] of its F0."""
        return self.gain * self.echoes(residual, self.nearest(residual, lag))

    def echoes(self, residual: Tensor, lag: Tensor) -> Tensor:
        """What a residual [B, N] was a lag [B, n] before each step, a lag for N / n of them: [B,
        N]; zeros where the lag is 0."""
        steps = residual.shape[1]
        each = lag.repeat_interleave(steps // lag.shape[1], 1)
        whole, fraction = each.div(FRACTIONS, rounding_mode="floor"), each % FRACTIONS
        # Before the first step there was silence; a lag reaches no further than `room` into it.
        room = int(whole.max()) + REACH
        past, found = F.pad(residual, (room, 0)), torch.zeros_like(residual)
        there = room + torch.arange(steps, device=lag.device) - whole
        for before, weights in enumerate(self.weights.to(residual).T, 1 - REACH):
            places = (there - before).clamp_max(room + steps - 1)
            found += weights[fraction] * past.gather(1, places)
        return found * (each > 0)

    def nearest(self, residual: Tensor, lag: Tensor) -> Tensor:
        """The lags [B, n] near those of F0 by which a residual [B, N] repeats itself best, each in
        its frame and half a frame on both sides."""
        found, best = lag, torch.zeros(lag.shape, dtype=residual.dtype, device=lag.device)
        frame = residual.shape[1] // lag.shape[1]

        def around(x: Tensor) -> Tensor:
            """Sums over two frames' length, the middles of the frames in theirs."""
            halves = F.pad(x, (frame // 2, frame - frame // 2)).unfold(1, 2 * frame, frame)
            return halves.sum(-1)[:, : lag.shape[1]]

        for factor in NEARBY:
            other = torch.round(lag * factor).long()
            echo = self.echoes(residual, other)
            together, power = around(residual * echo), around(echo.square())
            explained = together.clamp_min(0).square() / power.clamp_min(1e-12)
            found = torch.where(explained > best, other, found)
            best = torch.maximum(explained, best)
        return found
