"""Heads: what is read from the hidden frames, or from the codes, and the losses that train by it.

Log-mel and pitch are read from the hidden frames of codes and speaker, in decoding too; phonemes
and a teacher's states from the codes alone, and in training only.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.signal import FILTER_BANK_HOP
from vqspeech.nn.cosines import dct_matrix, log_mel_patterns
from vqspeech.nn.distributed import dropout
from vqspeech.nn.filter_banks import MEL_MEAN, MEL_SCALE
from vqspeech.nn.interleaving import spread
from vqspeech.nn.phonemes import PHONEMES, UNKNOWN
from vqspeech.nn.timeconv import TimeConv

LOG_F0_MEAN, LOG_F0_SCALE = math.log(150.0), 0.35
"""Mean and deviation of log F0 over voices."""
LOWEST_F0, HIGHEST_F0 = 50.0, 500.0
"""Hz; what is predicted beyond them counts as them."""
CEPSTRA = 13
LAG = 2
"""Frames of 10 ms over which a change of cepstra is taken."""


class LogMelHead(nn.Linear):
    """Hidden frames [B, H, F] to predicted log-mel [B, mels, F * hop / 160], natural log."""

    def __init__(self, channels: int, mels: int, hop: int):
        super().__init__(channels, mels * hop // FILTER_BANK_HOP)
        self.mels = mels

    def forward(self, hidden: Tensor) -> Tensor:
        out = super().forward(F.gelu(hidden.transpose(1, 2)))  # [B, F, (10 ms frames) * mels]
        out = out.reshape(len(out), -1, self.mels)
        return out.transpose(1, 2) * MEL_SCALE + MEL_MEAN


class DetailHead(nn.Linear):
    """What upper levels say of the log-mel, [B, books * dim, F], each frame's in its turn's
    channels, to what they add to it: [B, mels, F * hop / 160]. At first the inverse of their
    transform."""

    def __init__(self, dim: int, mels: int, hop: int, books: int):
        rate = hop // FILTER_BANK_HOP
        super().__init__(books * dim, mels * rate, bias=False)
        self.mels = mels
        if not self.weight.is_meta:
            own = log_mel_patterns(books * rate, mels, dim).view(dim, books, rate * mels)
            self.weight.data.copy_(own.permute(2, 1, 0).flatten(1))

    def forward(self, said: Tensor) -> Tensor:
        out = super().forward(said.transpose(1, 2))
        return out.reshape(len(out), -1, self.mels).transpose(1, 2)


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
        voicing, off = self._errors(truth)
        return voicing.mean() + off.sum() / (truth > 0).sum().clamp_min(1)

    def by_frame(self, truth: Tensor) -> Tensor:
        """The error of each frame, whether there is a voice or not: [B, n]; truth: [B, n], or one
        for all."""
        voicing, off = self._errors(truth)
        return voicing + off

    def _errors(self, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Of voicing, and of log F0, 0 where there is no voice: [B, n] both."""
        wanted = (truth > 0).to(self.voicing.dtype).expand_as(self.voicing)
        voicing = F.binary_cross_entropy_with_logits(self.voicing, wanted, reduction="none")
        off = (self.log_f0 - truth.clamp_min(1.0).log()).abs() / LOG_F0_SCALE
        return voicing, off * wanted


class PitchHead(nn.Linear):
    """Hidden frames [B, H, F] to the `Pitch` of F * hop / 160 frames."""

    def __init__(self, channels: int, hop: int):
        super().__init__(channels, 2 * hop // FILTER_BANK_HOP)

    def forward(self, hidden: Tensor) -> Pitch:
        out = super().forward(F.gelu(hidden.transpose(1, 2))).float()
        out = out.reshape(len(out), -1, 2)  # [B, F * hop / 160, 2]
        return Pitch(out[..., 0] * LOG_F0_SCALE + LOG_F0_MEAN, out[..., 1])


class CepstralDistance(nn.Module):
    """Differences of log-mels [B, mels, n] to the L1 of their cepstra plus that of these' change.

    An L1 of the log-mel counts a band that is wrong by itself like one of many that are wrong
    together, and so codes spend much on the fine structure of harmonics and noise. A recogniser
    hears neither: it goes by the first cepstra (Davis and Mermelstein 1980) and by their change
    (Furui 1986).

    The cepstra are those of an orthonormal DCT, so that white differences count as they do in the
    log-mel.
    """

    dct: Tensor

    def __init__(self, mels: int):
        super().__init__()
        self.register_buffer("dct", dct_matrix(mels, CEPSTRA), persistent=False)

    def forward(self, off: Tensor) -> Tensor:
        cepstra, change = self._of(off)
        loss = cepstra.abs().mean()
        return loss + change.abs().mean() if change.numel() else loss

    def by_frame(self, off: Tensor) -> Tensor:
        """The same of each frame: [B, n], n >= LAG. A change counts in the middle of it."""
        cepstra, change = self._of(off)
        return cepstra.abs().mean(1) + F.pad(change.abs().mean(1), (LAG // 2, LAG // 2))

    def _of(self, off: Tensor) -> tuple[Tensor, Tensor]:
        """Cepstra [B, CEPSTRA, n] and their changes [B, CEPSTRA, n - LAG]."""
        with torch.autocast(off.device.type, enabled=False):
            cepstra = self.dct @ off.float()
        return cepstra, cepstra[..., LAG:] - cepstra[..., :-LAG]


class StateHead(nn.Module):
    """z_q [B, D, F] to a teacher's states [B, F * per_code, width] (`nn.teacher`): linear, so that
    what a teacher knows lies plainly in the codes.

    In training only: no checkpoint of a model has it. books: how many codebooks the frames take in
    turn, from the first on.
    """

    def __init__(self, dim: int, books: int, width: int, per_code: int = 1):
        super().__init__()
        self.books, self.width = books, width
        self.out = nn.Linear(books * dim, per_code * width)

    def forward(self, z_q: Tensor) -> Tensor:
        states = self.out(spread(z_q.transpose(1, 2), self.books))
        return states.reshape(len(states), -1, self.width)

    def loss(self, z_q: Tensor, states: Tensor) -> Tensor:
        """L1 against states [B, F * per_code, width] of deviation one."""
        return (self(z_q).float() - states).abs().mean()


class PhonemeHead(nn.Module):
    """z_q [B, D, F] to logits [B, F, 40]: from a code and its two neighbours to either side.

    The log-mel alone spends a codebook's bits on what has most energy. A loss that asks each code
    for its phoneme keeps vowels and consonants apart that differ by a few decibels. Codecs of today
    learn such codes from a teacher network (Zhang et al. 2024, "SpeechTokenizer"); here the
    teachers are the transcripts of the training speech, of which nothing is needed afterwards.

    books: how many codebooks the frames take in turn, from the first on.
    """

    CHANNELS, WIDTH = 256, 5

    def __init__(self, dim: int, books: int = 1, dropout: float = 0.0):
        super().__init__()
        self.books, self.dropout = books, dropout
        self.around = TimeConv(books * dim, self.CHANNELS, self.WIDTH, padding=self.WIDTH // 2)
        self.out = nn.Linear(self.CHANNELS, len(PHONEMES))

    def forward(self, z_q: Tensor) -> Tensor:
        x = F.gelu(self.around(spread(z_q.transpose(1, 2), self.books)))
        return self.out(dropout(x, self.dropout, self.training))

    def loss(self, z_q: Tensor, phonemes: Tensor) -> Tensor:
        """Cross-entropy in nats a frame with known phoneme; phonemes: [B, F], UNKNOWN elsewhere.

        Zero where none is known.
        """
        known = phonemes != UNKNOWN
        logits = self(z_q).flatten(0, 1).float()
        total = F.cross_entropy(logits, phonemes.flatten(), ignore_index=UNKNOWN, reduction="sum")
        return total / torch.clamp_min(known.sum(), 1)
