"""Excitation: the phase of a voice's fundamental, given to the WaveNet step by step.

Periods are what a sampled WaveNet learns last and loses first: over hundreds of steps it must count
them by itself. So it is told where in its period the voice is, as the sines and cosines of the
first harmonics (as in the neural source-filter model, Wang et al. 2019, whose source is a sine).
When decoding, the phase runs on from the F0 that the codes predict; in training it is that of the
recording, so that what the network learns is how a period of this voice sounds.
"""

import math

import torch
from torch import Tensor

from vqspeech.audio.phase import advance, held, measured_phase
from vqspeech.audio.signal import FILTER_BANK_HOP


def harmonics(phase: Tensor, voiced: Tensor, count: int) -> Tensor:
    """Phase [B, N] in radians to [B, N, 2 count]: cosines and sines of its first multiples.

    Zeros where `voiced` [B, N] is False.
    """
    angles = phase[..., None] * torch.arange(1, count + 1, device=phase.device)
    found = torch.cat([angles.cos(), angles.sin()], -1)
    return found * voiced[..., None]


def teacher_excitation(wave: Tensor, f0: Tensor, bands: int, count: int) -> Tensor:
    """What training tells the WaveNet of a recording: [B, T / bands, 2 count].

    wave: [B, T]. f0: [B, T / 160], Hz, 0 where unvoiced.
    """
    phase = measured_phase(wave.float(), f0, bands)
    return harmonics(phase, held(f0, phase.shape[1]) > 0, count)


class PhaseWalk:
    """Free-running excitation of one recording, in blocks: the phase goes on where it was."""

    def __init__(self, bands: int, count: int):
        self._bands, self._count, self._cycles = bands, count, 0.0

    def __call__(self, f0: Tensor) -> Tensor:
        """The next F0 frames [1, n] (Hz, 0 unvoiced) to [1, n * 160 / bands, 2 count]."""
        frequency = held(f0, f0.shape[1] * FILTER_BANK_HOP // self._bands)
        cycles = self._cycles + advance(frequency, self._bands)
        self._cycles = float(cycles[0, -1] % 1.0)
        phase = (2 * math.pi * (cycles % 1.0)).float()
        return harmonics(phase, frequency > 0, self._count)
