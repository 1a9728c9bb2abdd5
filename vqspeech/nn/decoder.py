"""The WaveNet decoder: autoregressive 8-bit mu-law samples in each sub-band.

One step emits one sample in every band; within a step the bands are independent given the past.
With one band this is the paper's full-band decoder.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.signal import MU, MU_LEVELS, MU_ZERO, mu_law_table
from vqspeech.config.networks import DecoderConfig
from vqspeech.nn.subbands import FilterBank
from vqspeech.nn.wavenet import GatedStack

HEADROOM = 2.0
"""Full scale of a band over the 99.9th percentile of its magnitudes in training speech."""


def smooth_rows(bands: int, levels: int, width: int) -> Tensor:
    """An embedding [bands, levels, width] to start from, in which neighbours are neighbours.

    Each column is a random line and curve of the level's value, and a little noise.
    """
    table = torch.tensor(mu_law_table())
    compressed = (torch.arange(levels) - MU_ZERO) / MU_ZERO
    line = compressed[:, None] * torch.randn(bands, 1, width)
    curve = table[:, None] * torch.randn(bands, 1, width)
    return line + curve + 0.1 * torch.randn(bands, levels, width)


class WaveNetDecoder(nn.Module):
    """Hidden frames [B, H, F] and past samples to the distribution of the next ones."""

    scale: Tensor

    def __init__(self, config: DecoderConfig, hidden_channels: int):
        super().__init__()
        self.bands = config.bands
        self.bank = FilterBank(config.bands)
        self.register_buffer("scale", torch.ones(config.bands))
        width, skip = config.residual_channels, config.skip_channels
        rows = torch.empty(config.bands, MU_LEVELS, width)
        self.embedding = nn.Parameter(rows if rows.is_meta else smooth_rows(*rows.shape))
        self.harmonics = config.harmonics
        self.excitation = (
            nn.Linear(2 * config.harmonics, width, bias=False) if config.harmonics else None
        )
        self.stack = GatedStack(width, skip, config.dilations)
        self.condition = nn.Linear(hidden_channels, len(config.dilations) * 2 * width)
        self.hidden = nn.Linear(skip, skip)
        self.output = nn.Linear(skip, config.bands * MU_LEVELS)

    def encode(self, wave: Tensor) -> Tensor:
        """Waveform [B, T] to mu-law indices of its bands [B, ceil(T / bands), bands] (int64)."""
        with torch.autocast(wave.device.type, enabled=False):  # the target: 8 bits must be exact
            bands = self.bank.split(wave.float())
        x = (bands / self.scale[:, None]).clamp(-1, 1)
        compressed = x.sign() * torch.log1p(MU * x.abs()) / torch.log1p(x.new_tensor(float(MU)))
        steps = torch.where(x < 0, MU_ZERO, MU_LEVELS - 1 - MU_ZERO)
        return (MU_ZERO + torch.round(compressed * steps)).long().transpose(1, 2)

    def bands_of(self, indices: Tensor) -> Tensor:
        """Mu-law indices [B, N, bands] to band signals [B, bands, N], ready for `bank.join`."""
        table = torch.from_numpy(mu_law_table()).to(self.scale)
        return table[indices].transpose(1, 2) * self.scale[:, None]

    @torch.no_grad()
    def fit_scale(self, wave: Tensor) -> None:
        """Full scale of each band from training waveforms [B, T]: quiet bands get finer steps."""
        magnitude = self.bank.split(wave).abs().transpose(0, 1).reshape(self.bands, -1)
        loud = magnitude.kthvalue(int(0.999 * (magnitude.shape[1] - 1)) + 1, dim=1).values
        self.scale.copy_((loud * HEADROOM).clamp(1e-3, 1.0))

    def conditioning(self, hidden: Tensor) -> Tensor:
        """Hidden frames [B, H, F] to the gates' biases [B, F, L, 2R]."""
        batch, _, frames = hidden.shape
        projected = self.condition(hidden.transpose(1, 2))
        return projected.view(batch, frames, len(self.stack.dilations), -1)

    def embed(self, indices: Tensor) -> Tensor:
        """Mu-law indices [B, N, bands] to the stack's input [B, N, R]: a sum over bands."""
        rows = (F.embedding(indices[..., b], self.embedding[b]) for b in range(self.bands))
        return sum(rows, self.embedding.new_zeros(()))

    def logits(self, skip: Tensor) -> Tensor:
        """Skip output [B, N, S] to logits [B, N, bands, 256]."""
        out = self.output(F.relu(self.hidden(skip)))
        return out.view(*out.shape[:-1], self.bands, MU_LEVELS)

    def forward(
        self, indices: Tensor, hidden: Tensor, first: int = 0, excitation: Tensor | None = None
    ) -> Tensor:
        """Teacher-forced logits.

        indices: [B, N, bands], the true samples, N = F * hop / bands; step n sees those before n.
        hidden: [B, H, F]. excitation: [B, N, 2 harmonics] (`nn.excitation`) for a decoder that
        wants it. Returns the logits from step `first` on, [B, N - first, bands, 256].
        """
        past = F.pad(indices[:, :-1], (0, 0, 1, 0), value=MU_ZERO)
        x = self.embed(past)
        if self.excitation is not None:
            x = x + self.excitation(excitation)
        return self.logits(self.stack(x, self.conditioning(hidden), first))

    def nats(self, logits: Tensor, indices: Tensor) -> Tensor:
        """-log p of each step [B, N], summed over its bands, in nats."""
        batch, steps = indices.shape[:2]
        flat = F.cross_entropy(
            logits.reshape(-1, MU_LEVELS).float(), indices.reshape(-1), reduction="none"
        )
        return flat.view(batch, steps, self.bands).sum(-1)
