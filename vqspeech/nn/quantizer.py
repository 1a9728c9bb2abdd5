"""The vector quantizer: nearest neighbour, straight-through gradient, two ways to learn codes.

van den Oord et al. 2017: section 3.2 (equation 3: codebook and commitment terms) and appendix A.1
(moving-average update).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config import QuantizerConfig
from vqspeech.nn.workers import (
    SharedBatchNorm,
    from_first_worker,
    rank,
    rows_of_all,
    sum_over_workers,
    world,
)

LAPLACE = 1e-5
"""Smoothing of the moving counts, so that an unused code divides by no zero."""


class Quantized(NamedTuple):
    """What the quantizer returns: z_q [B, D, F], indices [B, F] and the terms of the loss."""

    z_q: Tensor
    indices: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor
    usage: Tensor  # [K] how often each code was chosen; in training by all workers together


def perplexity(usage: Tensor) -> Tensor:
    """exp of the entropy of the code frequencies: usage [K] counts -> scalar in 1..K."""
    p = usage.float() / usage.sum().clamp_min(1)
    return torch.exp(-(p * torch.log(p.clamp_min(1e-12))).sum())


def jitter_frames(x: Tensor, probability: float) -> Tensor:
    """Replace each frame of x [B, D, F], with `probability`, by its left or right neighbour.

    Chorowski et al. 2019, section III-C: codes may then not rely on exact neighbours.
    """
    batch, _, frames = x.shape
    # Drawn for the batch of all workers, whose random numbers are the same; each has its rows.
    draw = torch.rand(batch * world(), frames, device=x.device)
    draw = draw[rank() * batch : (rank() + 1) * batch]
    move = (draw < probability / 2).long() - (draw > 1 - probability / 2).long()
    source = (torch.arange(frames, device=x.device) + move).clamp(0, frames - 1)
    return x.gather(2, source[:, None].expand_as(x))


class VectorQuantizer(nn.Module):
    """z_e [B, D, F] to the nearest of K codes, L2, frame by frame."""

    def __init__(self, config: QuantizerConfig):
        super().__init__()
        self.config = config
        codes, dim = config.codes, config.dim
        # Codes are drawn from encoder outputs, which therefore need a known scale: without this
        # normalisation all frames fall on one code at first (FIELD: perplexity 1 for 300 steps).
        self.norm = SharedBatchNorm(dim) if config.normalise else nn.Identity()
        by_gradient = config.update == "gradient"
        self.codebook = nn.Parameter(torch.randn(codes, dim), requires_grad=by_gradient)
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", self.codebook.detach().clone())
        self.register_buffer("initialised", torch.tensor(False))

    def nearest(self, z: Tensor) -> Tensor:
        """Indices [N] (int64) of the codes nearest to z [N, D] in L2."""
        codes = self.codebook.detach()
        # |z - e|^2 without |z|^2, which is the same for every code.
        return (codes.square().sum(1) - 2.0 * z @ codes.t()).argmin(1)

    def encode(self, z_e: Tensor) -> Tensor:
        """z_e [B, D, F] to indices [B, F], without gradients or statistics."""
        with torch.autocast(z_e.device.type, enabled=False):
            z = self.norm(z_e.float())
            batch, dim, frames = z.shape
            return self.nearest(z.transpose(1, 2).reshape(-1, dim)).view(batch, frames)

    def lookup(self, indices: Tensor) -> Tensor:
        """indices [B, F] to z_q [B, D, F]."""
        return F.embedding(indices, self.codebook).transpose(1, 2)

    def forward(self, z_e: Tensor) -> Quantized:
        """Quantise with straight-through gradients; while training also update the codebook."""
        with torch.autocast(z_e.device.type, enabled=False):
            z = self.norm(z_e.float())
            batch, dim, frames = z.shape
            flat = z.transpose(1, 2).reshape(-1, dim)
            if self.training and not self.initialised:
                self._initialise(flat.detach())
            indices = self.nearest(flat.detach())
            usage = torch.bincount(indices, minlength=self.config.codes).float()
            z_q = self.lookup(indices.view(batch, frames))
            codebook_loss = F.mse_loss(z_q, z.detach())
            commitment_loss = F.mse_loss(z, z_q.detach())
            if self.training:
                self._track(flat.detach(), indices, sum_over_workers(usage))
            # Straight-through: the value of z_q, the gradient of z.
            z_q = z + (z_q - z).detach()
            if self.training and self.config.jitter:
                z_q = jitter_frames(z_q, self.config.jitter)
        return Quantized(z_q, indices.view(batch, frames), codebook_loss, commitment_loss, usage)

    def dead_codes(self) -> int:
        """Codes whose moving count is below the revival threshold."""
        return int((self.counts < self._threshold()).sum())

    def _threshold(self) -> Tensor:
        return self.config.revive_below * self.counts.mean()

    def _draw(self, flat: Tensor, number: int) -> Tensor:
        """`number` vectors of all workers' batch [number, D], the same on every worker."""
        total = len(flat) * world()
        order = torch.randperm(total, device=flat.device)
        picks = order[torch.arange(number, device=flat.device) % total]
        chosen = rows_of_all(flat, from_first_worker(picks))
        if number > total:  # repeated vectors need to differ, or their codes never part
            noise = from_first_worker(torch.randn_like(chosen))
            chosen = chosen + 0.01 * chosen.std() * noise
        return chosen

    @torch.no_grad()
    def _initialise(self, flat: Tensor) -> None:
        """Codes from encoder outputs of the first batch."""
        self.codebook.copy_(self._draw(flat, self.config.codes))
        self.sums.copy_(self.codebook)
        self.counts.fill_(1.0)
        self.initialised.fill_(True)

    @torch.no_grad()
    def _track(self, flat: Tensor, indices: Tensor, usage: Tensor) -> None:
        """Moving counts and sums (A.1, equations 6 to 8); revival of codes that nobody chooses.

        flat: [N, D], this worker's frames; indices: [N], their codes; usage: [K], of all workers.
        """
        decay, codes = self.config.decay, self.config.codes
        self.counts.mul_(decay).add_(usage, alpha=1 - decay)
        sums = torch.zeros_like(self.sums).index_add_(0, indices, flat)
        self.sums.mul_(decay).add_(sum_over_workers(sums), alpha=1 - decay)
        if self.config.update == "ema":
            total = self.counts.sum()
            smooth = (self.counts + LAPLACE) / (total + codes * LAPLACE) * total
            self.codebook.copy_(self.sums / smooth[:, None])
        dead = self.counts < self._threshold()
        if number := int(dead.sum()):
            fresh = self._draw(flat, number)
            # Statistics too: with the old ones the next update would undo the revival.
            fair = self.counts.mean()
            self.codebook[dead] = fresh
            self.sums[dead] = fresh * fair
            self.counts[dead] = fair
