"""How far a predicted log-mel is off in what tells phonemes apart: its shape, and how that changes.

An L1 of the log-mel counts a band that is wrong by itself like one of many that are wrong together,
and so codes spend much on the fine structure of harmonics and noise. A recogniser hears neither: it
goes by the first cepstra (Davis and Mermelstein 1980) and by their change (Furui 1986). Held-out
speech through a log-mel blurred over 15 ms loses a fifth of the words that it has; blurred over two
bands it loses none (recipes/base/README.md).
"""

import math

import torch
from torch import Tensor, nn

CEPSTRA = 13
LAG = 2
"""Frames of 10 ms over which a change is taken."""


def dct_matrix(bands: int, count: int) -> Tensor:
    """The first `count` rows of the orthonormal DCT (type II): [min(count, bands), bands]."""
    with torch.device("cpu"):
        order = torch.arange(min(count, bands))[:, None]
        dct = torch.cos(math.pi / bands * (torch.arange(bands) + 0.5) * order)
        dct = dct * math.sqrt(2 / bands)
        dct[0] *= math.sqrt(0.5)
        return dct


class CepstralDistance(nn.Module):
    """Differences of log-mels [B, mels, n] to the L1 of their cepstra plus that of these' change.

    The cepstra are those of an orthonormal DCT, so that white differences count as they do in the
    log-mel.
    """

    def __init__(self, mels: int):
        super().__init__()
        self.register_buffer("dct", dct_matrix(mels, CEPSTRA), persistent=False)

    def forward(self, off: Tensor) -> Tensor:
        with torch.autocast(off.device.type, enabled=False):
            cepstra = self.dct @ off.float()
        change = cepstra[..., LAG:] - cepstra[..., :-LAG]
        loss = cepstra.abs().mean()
        return loss + change.abs().mean() if change.numel() else loss
