"""The phase of a voice's fundamental: run on from F0, and measured in a recording."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.audio.signal import SAMPLE_RATE

WINDOW = 481
"""Samples (30 ms) over which the fundamental's phase is measured: its neighbour, the second
harmonic, is then outside of the main lobe for any voice above 67 Hz."""


def held(f0: Tensor, steps: int) -> Tensor:
    """F0 [B, n], a frame every 10 ms, for each of `steps` steps: [B, steps]."""
    return f0.repeat_interleave(steps // f0.shape[1], 1)


def advance(f0: Tensor, bands: int) -> Tensor:
    """F0 in Hz at each step [B, N] to the phase gone through since before the first: [B, N].

    In cycles, float64: after an hour too it must be exact.
    """
    return (f0.double() * (bands / SAMPLE_RATE)).cumsum(1)


def measured_phase(wave: Tensor, f0: Tensor, bands: int) -> Tensor:
    """The phase of the fundamental of `wave` [B, T] at every step: [B, T / bands], radians.

    f0: [B, n], T = 160 n, in Hz, 0 where there is no voice (there the phase means nothing). The
    recording is brought down by the phase of F0 as tracked, which leaves the fundamental a slow
    complex amplitude: its angle is what the track is off by.
    """
    steps = wave.shape[1] // bands
    cycles = advance(held(f0, wave.shape[1]), 1)
    angle = (2 * math.pi * (cycles % 1.0)).to(wave.dtype)
    window = torch.hann_window(WINDOW, periodic=False, device=wave.device, dtype=wave.dtype)
    lowered = torch.stack([wave * angle.cos(), -wave * angle.sin()], 1).reshape(
        -1, 1, wave.shape[1]
    )
    slow = F.conv1d(lowered, window[None, None], stride=bands, padding=WINDOW // 2)
    slow = slow[..., :steps].view(len(wave), 2, steps)
    return angle[:, ::bands] + torch.atan2(slow[:, 1], slow[:, 0])
