"""Reads phonemes from codes, while these are learned: what can be read from them is in them.

The log-mel alone spends a codebook's bits on what has most energy. A loss that asks each code for
its phoneme keeps vowels and consonants apart that differ by a few decibels. Codecs of today learn
such codes from a teacher network (Zhang et al. 2024, "SpeechTokenizer"); here the teachers are the
transcripts of the training speech, and nothing of it is needed to encode or to decode.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.nn.interleaving import spread
from vqspeech.nn.phonemes import PHONEMES, UNKNOWN
from vqspeech.nn.timeconv import TimeConv


class PhonemeReader(nn.Module):
    """z_q [B, D, F] to logits [B, F, 40]: from a code and its two neighbours to either side.

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
        return self.out(F.dropout(x, self.dropout, self.training))

    def loss(self, z_q: Tensor, phonemes: Tensor) -> Tensor:
        """Cross-entropy in nats a frame with known phoneme; phonemes: [B, F], UNKNOWN elsewhere.

        Zero where none is known.
        """
        known = phonemes != UNKNOWN
        logits = self(z_q).flatten(0, 1).float()
        total = F.cross_entropy(logits, phonemes.flatten(), ignore_index=UNKNOWN, reduction="sum")
        return total / torch.clamp_min(known.sum(), 1)
