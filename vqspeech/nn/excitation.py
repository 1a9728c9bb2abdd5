"""Excitation: the phase of a voice's fundamental, given to the WaveNet step by step.

Periods are what a sampled WaveNet learns last and loses first: over hundreds of steps it must count
them by itself. So it is told where in its period the voice is, as the sines and cosines of the
first harmonics (as in the neural source-filter model, Wang et al. 2019, whose source is a sine).
When decoding, the phase runs on from the F0 that the codes predict; in training it is that of the
recording, of its fundamental or of its pulses (`nn.pulses`), so that what the network learns is how
a period of this voice sounds.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.phase import advance, held, measured_phase
from vqspeech.audio.signal import FILTER_BANK_HOP
from vqspeech.config.networks import DecoderConfig
from vqspeech.nn.pulses import PulseTracker


def harmonics(phase: Tensor, voiced: Tensor, count: int) -> Tensor:
    """Phase [B, N] in radians to [B, N, 2 count]: cosines and sines of its first multiples.

    Zeros where `voiced` [B, N] is False.
    """
    angles = phase[..., None] * torch.arange(1, count + 1, device=phase.device)
    found = torch.cat([angles.cos(), angles.sin()], -1)
    return found * voiced[..., None]


class TeacherExcitation(nn.Module):
    """What training tells the WaveNet of recordings [B, T] with their F0 [B, T / 160] (Hz, 0 where
    unvoiced): [B, T / bands, 2 harmonics]."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.bands, self.harmonics = config.bands, config.harmonics
        self.tracker = PulseTracker() if config.pulses else None

    def forward(self, wave: Tensor, f0: Tensor) -> tuple[Tensor, Tensor]:
        """The recordings, those turned over whose pulses point down, and what is told of them."""
        with torch.autocast(wave.device.type, enabled=False):  # eight bits are no phase
            if self.tracker is None:
                phase = measured_phase(wave.float(), f0, self.bands)
            else:
                found = self.tracker(wave, f0)
                wave = wave * found.polarity[:, None]
                phase = pulse_phase(f0, found.offset, self.bands)
            voiced = held(f0, phase.shape[1]) > 0
            return wave, harmonics(phase, voiced, self.harmonics)


def pulse_phase(f0: Tensor, offset: Tensor, bands: int) -> Tensor:
    """The phase of the F0 [B, n] moved on by `offset` [B, n], in periods and from one frame to the
    next on the shorter way: [B, n * 160 / bands], radians."""
    steps = f0.shape[1] * FILTER_BANK_HOP // bands
    angle = 2 * math.pi * offset
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    cosine, sine = F.interpolate(circle, size=steps, mode="linear").unbind(1)
    phase = 2 * math.pi * (advance(held(f0, steps), bands) % 1.0).float()
    return phase + torch.atan2(sine, cosine)


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
