"""Where in its period a recorded voice has its pulses, and which way up they are.

A voice is excited once a period, when its vocal folds close. Told the phase of the fundamental, a
WaveNet would have to find out how far from that the pulses are, which differs from recording to
recording with formants, microphones and filters; and in what it draws itself there is nothing to
find it by. So training may tell it the phase of the pulses, and turns recordings over whose pulses
point down, as a microphone or a converter may have done before.

They are looked for in what a linear prediction leaves of the speech below 2 kHz: by their common
shape, on the path over the frames that has most of it and moves least (Viterbi 1967), for both
polarities.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.phase import advance, held
from vqspeech.nn.filter_banks import LogMel
from vqspeech.nn.prediction import BandPrediction, predicted_of
from vqspeech.nn.subbands import FilterBank

BANDS, ORDER, MELS = 4, 8, 80
"""The lowest of so many sub-bands is listened to; of the prediction; of the log-mel behind it."""
# fmt: off
SHAPE = (
    0.27, 0.30, 0.35, 0.39, 0.47, 0.47, 0.36, 0.16, 0.03, -0.09, -0.37, -0.74,
    -1.12, -1.48, -1.73, -1.67, 0.10, 3.25, 0.92, -0.65, 0.02, 0.22, 0.26, 0.29,
)
# fmt: on
"""What is left of a voice over its period, in deviations: the mean over speech of many voices, each
moved to where it has most of it (`recipes/base/pulses.py`)."""
PLACES = 32
"""Phases that are tried, all over a period."""
FINER = 3
"""What is left of a frame is sorted by phase into so many times PLACES."""
INERTIA = 100.0
"""What a path loses by a move of a period from frame to frame, in deviations; by shorter ones with
their square."""


class Pulses(NamedTuple):
    """offset [B, n]: by how much of a period the phase of the pulses is before that of the F0, in
    each frame of 10 ms. polarity [B]: 1, or -1 of a recording whose pulses point down."""

    offset: Tensor
    polarity: Tensor


class PulseTracker(nn.Module):
    """Waveforms [B, T] at 16 kHz and their F0 [B, T / 160] (Hz, 0 unvoiced) to their `Pulses`.

    Without a voice there are none, whatever is said of them.
    """

    shape: Tensor
    loss: Tensor

    def __init__(self):
        super().__init__()
        self.log_mel, self.bank = LogMel(MELS), FilterBank(BANDS)
        self.prediction = BandPrediction(BANDS, MELS, ORDER)
        with torch.device("cpu"):  # values, on the meta device too
            place = torch.arange(PLACES) / PLACES
            fine = (torch.arange(FINER * PLACES) + 0.5) / (FINER * PLACES)
            shape = _shape_at(fine[:, None] + place)
            apart = place[:, None] - place
            loss = INERTIA * (apart - apart.round()).square()
        self.register_buffer("shape", shape, persistent=False)
        self.register_buffer("loss", loss, persistent=False)

    @torch.no_grad()
    def forward(self, wave: Tensor, f0: Tensor) -> Pulses:
        with torch.autocast(wave.device.type, enabled=False):
            scores = self._scores(self.left(wave.float()), f0)
            value, path = self._path(torch.cat([scores, -scores]), (f0 > 0).repeat(2, 1))
        turned = value[len(wave) :] > value[: len(wave)]
        path = torch.where(turned[:, None], path[len(wave) :], path[: len(wave)])
        return Pulses(path / PLACES, torch.where(turned, -1.0, 1.0))

    def left(self, wave: Tensor) -> Tensor:
        """What the linear prediction leaves of the lowest band of `wave` [B, T], over the deviation
        that it is expected to have: [B, T / BANDS]."""
        lowest, found = self.bank.split(wave)[:, :1], self.prediction(self.log_mel(wave))
        left = (lowest - predicted_of(lowest, found.coefficients[:, :, :1]))[:, 0]
        frames = found.full_scale.shape[1]
        return left / found.full_scale[..., 0].repeat_interleave(left.shape[1] // frames, 1)

    def _scores(self, left: Tensor, f0: Tensor) -> Tensor:
        """How much of the shape what is left [B, N] has round each frame, for each place of it: [B,
        n, PLACES], in deviations of what is left where there is a voice."""
        batch, frames = f0.shape
        frequency = held(f0, left.shape[1])
        left = left * (frequency > 0)
        power = left.square().sum(1) / (frequency > 0).sum(1).clamp_min(1)
        left = left / power.sqrt().clamp_min(1e-6)[:, None]
        fine = FINER * PLACES
        phase = ((advance(frequency, BANDS) % 1.0) * fine).long().clamp_max(fine - 1)
        frame = torch.arange(frames, device=left.device).repeat_interleave(left.shape[1] // frames)
        sorted_by_phase = left.new_zeros(batch, frames * fine)
        sorted_by_phase.scatter_add_(1, frame * fine + phase, left)
        found = sorted_by_phase.view(batch, frames, fine) @ self.shape
        return F.avg_pool1d(found.transpose(1, 2), 3, 1, 1).transpose(1, 2)

    def _path(self, scores: Tensor, voiced: Tensor) -> tuple[Tensor, Tensor]:
        """The best path through scores [B, n, PLACES], free where there is no voice: its value [B]
        and places [B, n]."""
        bound = (voiced[:, 1:] & voiced[:, :-1])[..., None, None]
        best, came_from = scores[:, 0], []
        for frame, score in enumerate(scores[:, 1:].unbind(1)):
            value, before = (best[:, None] - bound[:, frame] * self.loss).max(2)
            best = value + score
            came_from.append(before)
        value, place = best.max(1)
        path = [place]
        for before in reversed(came_from):
            place = before.gather(1, place[:, None])[:, 0]
            path.append(place)
        return value, torch.stack(path[::-1], 1)


def _shape_at(period: Tensor) -> Tensor:
    """SHAPE at a place in the period, any multiple of it: as `period`."""
    shape = torch.tensor(SHAPE, dtype=torch.float32)
    place = period % 1.0 * len(SHAPE)
    whole = place.long()
    share, whole = place - whole, whole % len(SHAPE)
    return shape[whole] * (1 - share) + shape[(whole + 1) % len(SHAPE)] * share
