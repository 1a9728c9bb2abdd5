"""The speaker encoder: a voice vector from some seconds of anybody's speech.

It is trained beside the identities: in a share of the crops its vector, of another stretch of the
same speaker, stands in the identity's place, and the same losses say what it should hold (Jia et
al. 2018, "Transfer learning from speaker verification to multispeaker text-to-speech synthesis",
use a network of another task; here there is one task). Statistics over time are pooled with
learned weights (Okabe et al. 2018, "Attentive statistics pooling for deep speaker embedding"), so
that what is said averages out.

Some dozens of people are few to learn all voices from. So where no samples are to be said, some of
the crops that are given its vector are said by voices that do not exist: the frequencies of what is
to be predicted, and of what the speaker encoder hears, are scaled alike, and both go through the
same equaliser, which makes them brighter or duller.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config.networks import SpeakerEncoderConfig
from vqspeech.nn.augmentation import RIPPLES, equalised, ripples_of, scaled
from vqspeech.nn.distributed import rank, world
from vqspeech.nn.filter_banks import LOG_FLOOR, MEL_MEAN, MEL_SCALE
from vqspeech.nn.timeconv import TimeConv

PAUSE = 0.5 * (math.log(LOG_FLOOR) + MEL_MEAN)
"""Mean log-mel of a frame, in nats, below which it is a pause and does not count."""


def is_speech(log_mel: Tensor) -> Tensor:
    """Which frames of a log-mel [B, mels, n] are no pauses: [B, n]."""
    return log_mel.mean(1) > PAUSE


class SpeakerEncoder(nn.Module):
    """Log-mel [B, mels, n], natural log, to voice vectors [B, dim]; any n from 1 up."""

    def __init__(self, config: SpeakerEncoderConfig, mels: int, dim: int):
        super().__init__()
        width = config.channels
        self.stem = TimeConv(mels, width, 5, padding=2)
        self.blocks = nn.ModuleList(
            TimeConv(width, width, 3, dilation=d, padding=d) for d in config.dilations
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in config.dilations)
        self.attention = nn.Linear(width, width, bias=False)  # a softmax over time knows no offset
        self.project = nn.Linear(2 * width, dim)

    def forward(self, log_mel: Tensor) -> Tensor:
        speech = is_speech(log_mel)
        speech = speech | ~speech.any(1, keepdim=True)  # of nothing but pauses, all of them
        x = self.stem(((log_mel - MEL_MEAN) / MEL_SCALE).transpose(1, 2))
        for norm, block in zip(self.norms, self.blocks, strict=True):
            x = x + block(F.gelu(norm(x)))
        with torch.autocast(x.device.type, enabled=False):  # a deviation of few bits is none
            x = x.float()
            weight = self.attention(torch.tanh(x)).masked_fill(~speech[..., None], -math.inf)
            weight = weight.softmax(1)
            mean = (weight * x).sum(1)
            deviation = ((weight * (x - mean[:, None]).square()).sum(1) + 1e-4).sqrt()
            return self.project(torch.cat([mean, deviation], -1))


class Heard(NamedTuple):
    """Which crops [B] (bool) are given the speaker encoder's vector, and what is done to them and
    to what it hears: by how much their frequencies are scaled, [B], 1 for the others; cosines of an
    equaliser in nats (`nn.augmentation`), [B, RIPPLES], 0 for the others."""

    given: Tensor
    scale: Tensor
    equaliser: Tensor

    def of(self, rows: Tensor) -> "Heard":
        """Those of some crops."""
        return Heard(*(part[rows] for part in self))


def draw_heard(config: SpeakerEncoderConfig, batch: int, device, invent: bool) -> Heard:
    """A `share` of the crops; with `invent`, half of them in a voice that does not exist."""
    # Drawn for the batch of all workers, whose random numbers are the same; each has its rows.
    own = slice(rank() * batch, (rank() + 1) * batch)
    chance, *turns = torch.rand(2 + RIPPLES, batch * world(), device=device)[:, own]
    given = chance < config.share
    invented = given & (chance < config.share / 2) & invent
    turn, *ripples = (2 * one - 1 for one in turns)
    scale = torch.exp(config.invented * turn)
    equaliser = ripples_of(config.invented_equaliser, torch.stack(ripples, 1))
    made = torch.where(invented[:, None], equaliser, 0.0)
    return Heard(given, torch.where(invented, scale, 1.0), made)


def in_voice(log_mel: Tensor, centres: Tensor, heard: Heard) -> Tensor:
    """A log-mel [B, mels, n], whose bands lie at `centres` [mels], as the voices of `heard` say it:
    as it is, where they do not change it."""
    changed = scaled(log_mel, centres, heard.scale)
    changed = torch.where((heard.scale == 1)[:, None, None], log_mel, changed)
    through = equalised(changed, centres, heard.equaliser, math.log(LOG_FLOOR))
    as_it_is = (heard.equaliser == 0).all(1)[:, None, None]
    return torch.where(as_it_is, changed, through)
