"""Cosine transforms (Ahmed et al. 1974, "Discrete cosine transform") of log-mels."""

import math

import torch
from torch import Tensor

SLOW = 3
"""How many times finer over the bands a pattern may be for each order that it is slower."""


def dct_matrix(bands: int, count: int) -> Tensor:
    """The first `count` rows of the orthonormal DCT (type II): [min(count, bands), bands]."""
    with torch.device("cpu"):
        order = torch.arange(min(count, bands))[:, None]
        dct = torch.cos(math.pi / bands * (torch.arange(bands) + 0.5) * order)
        dct = dct * math.sqrt(2 / bands)
        dct[0] *= math.sqrt(0.5)
        return dct


def log_mel_patterns(frames: int, mels: int, count: int) -> Tensor:
    """`count` orthonormal patterns of a log-mel [frames, mels], the coarsest first: [count, frames
    * mels]."""
    with torch.device("cpu"):  # they read their own values, which the meta device has not
        patterns = torch.kron(dct_matrix(frames, frames), dct_matrix(mels, mels))
        fineness = SLOW ** torch.arange(frames)[:, None] * (torch.arange(mels) + 1)
        coarsest = fineness.flatten().argsort(stable=True)[:count]
        return patterns[coarsest].contiguous()
