"""Codes and speaker to hidden frames for the WaveNet; heads read log-mel and pitch from these."""

import math
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config.model import FILTER_BANK_HOP, ConditioningConfig
from vqspeech.nn.embedding import embedding
from vqspeech.nn.filter_banks import MEL_MEAN, MEL_SCALE
from vqspeech.nn.interleaving import spread, turns
from vqspeech.nn.timeconv import TimeConv

LOG_F0_MEAN, LOG_F0_SCALE = math.log(150.0), 0.35
"""Mean and deviation of log F0 over voices."""
LOWEST_F0, HIGHEST_F0 = 50.0, 500.0
"""Hz; what is predicted beyond them counts as them."""


class Pitch(NamedTuple):
    """What the pitch head says, a frame every 10 ms: log F0 [B, n] and a voicing logit [B, n]."""

    log_f0: Tensor
    voicing: Tensor

    def f0(self) -> Tensor:
        """F0 in Hz, 0 where there is more likely no voice: [B, n]."""
        f0 = self.log_f0.exp().clamp(LOWEST_F0, HIGHEST_F0)
        return f0 * (self.voicing > 0)

    def loss(self, truth: Tensor) -> Tensor:
        """Against F0 [B, n] in Hz, 0 unvoiced: cross-entropy of voicing plus L1 of the scaled log
        F0 where there is a voice."""
        voiced = truth > 0
        wanted = voiced.to(self.voicing.dtype)
        voicing = F.binary_cross_entropy_with_logits(self.voicing, wanted)
        off = (self.log_f0 - truth.clamp_min(1.0).log()).abs() / LOG_F0_SCALE
        return voicing + (off * wanted).sum() / wanted.sum().clamp_min(1)


class SpeakerBlock(nn.Module):
    """Residual dilated convolution, [B, F, H], whose inner layer is shifted by the speaker and,
    with `film`, scaled too (Perez et al. 2018, "FiLM")."""

    def __init__(self, config: ConditioningConfig, dilation: int):
        super().__init__()
        channels, self.dropout = config.channels, config.dropout
        self.dilated = TimeConv(channels, channels, 3, dilation=dilation, padding=dilation)
        self.speaker = nn.Linear(config.speaker_dim, channels, bias=False)
        self.film = None
        if config.film:
            self.film = nn.Linear(config.speaker_dim, channels, bias=False)
            nn.init.zeros_(self.film.weight)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor, speaker: Tensor, mask: Tensor) -> Tensor:
        h = self.dilated(F.gelu(x) * mask)
        if self.film is not None:
            h = h * (1 + self.film(speaker)[:, None])
        h = h + self.speaker(speaker)[:, None]
        return (x + self.mix(F.dropout(F.gelu(h), self.dropout, self.training))) * mask


class Conditioning(nn.Module):
    """z_q [B, D, F] and speaker vectors [B, S] to hidden frames [B, H, F].

    books: how many codebooks the frames take in turn, from the first on.
    """

    def __init__(self, config: ConditioningConfig, dim: int, mels: int, hop: int, books: int = 1):
        super().__init__()
        width = config.channels
        self.books = books
        # Sees a frame's whole group, whatever its place there, and the groups beside it.
        self.stem = TimeConv(books * dim, width, 2 * books + 1, padding=books)
        self.turn = embedding(books, width, 0.1) if books > 1 else None
        self.speaker = nn.Linear(config.speaker_dim, width)
        self.blocks = nn.ModuleList(SpeakerBlock(config, dilation) for dilation in config.dilations)
        self.mels = mels
        self.log_mel_head = (
            nn.Linear(width, mels * hop // FILTER_BANK_HOP) if config.log_mel_head else None
        )
        self.pitch_head = (
            nn.Linear(width, 2 * hop // FILTER_BANK_HOP) if config.pitch_head else None
        )
        self.context_frames = books + sum(config.dilations)
        """Frames to either side of a frame that it may depend on."""

    def forward(self, z_q: Tensor, speaker: Tensor, mask: Tensor) -> Tensor:
        """Hidden frames [B, H, F]. mask: [B, 1, F], zero beyond each item's own frames."""
        mask = mask.transpose(1, 2)
        z = spread(z_q.transpose(1, 2) * mask, self.books)
        x = self.stem(z) + self.speaker(speaker)[:, None]
        if self.turn is not None:
            x = x + self.turn(turns(x.shape[1], self.books, x.device))
        x = x * mask
        for block in self.blocks:
            x = block(x, speaker, mask)
        return x.transpose(1, 2)

    def log_mel(self, hidden: Tensor) -> Tensor:
        """Hidden frames [B, H, F] to predicted log-mel [B, mels, F * hop / 160], natural log."""
        out = self.log_mel_head(F.gelu(hidden.transpose(1, 2)))  # [B, F, (10 ms frames) * mels]
        out = out.reshape(len(out), -1, self.mels)
        return out.transpose(1, 2) * MEL_SCALE + MEL_MEAN

    def pitch(self, hidden: Tensor) -> Pitch:
        """F0 and voicing that hidden frames [B, H, F] predict; a model with a pitch head only."""
        out = self.pitch_head(F.gelu(hidden.transpose(1, 2))).float()
        out = out.reshape(len(out), -1, 2)  # [B, F * hop / 160, 2]
        return Pitch(out[..., 0] * LOG_F0_SCALE + LOG_F0_MEAN, out[..., 1])
