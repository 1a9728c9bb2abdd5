"""The vector quantizer: nearest neighbour, straight-through gradient, two ways to learn codes.

van den Oord et al. 2017: section 3.2 (equation 3: codebook and commitment terms) and appendix A.1
(moving-average update). Several that take turns: `nn.interleaving`.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config.networks import QuantizerConfig
from vqspeech.nn.distributed import (
    SharedBatchNorm,
    from_first_worker,
    rank,
    rows_of_all,
    sum_over_workers,
    world,
)

LAPLACE = 1e-5
"""Smoothing of the moving counts, so that an unused code divides by no zero."""
TIE = 5e-6
"""Two codes whose distances from a vector differ by less, as a share of the largest that there can
be, are as near as each other: the rounding of sums, which differs with the length of what is
encoded at once and with the number of threads, moves them by 5e-7."""


class Quantized(NamedTuple):
    """What the quantizer returns: z_q [B, D, F], indices [B, F] and the terms of the loss."""

    z_q: Tensor
    indices: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor
    usage: Tensor  # [K] how often each code was chosen; in training by all workers together


def perplexity(usage: Tensor) -> Tensor:
    """exp of the entropy of the code frequencies: usage [N] counts -> scalar in 1..N."""
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
    source = torch.arange(frames, device=x.device) + move
    source = torch.where((source < 0) | (source >= frames), source - move, source)
    return x.gather(2, source[:, None].expand_as(x))


class VectorQuantizer(nn.Module):
    """z_e [B, D, F] to the nearest of the K codes [K, D], L2, frame by frame."""

    counts: Tensor
    sums: Tensor
    initialised: Tensor

    def __init__(self, config: QuantizerConfig):
        super().__init__()
        self.config = config
        # Codes are drawn from encoder outputs, which therefore need a known scale: without this
        # normalisation all frames fall on one code at first (FIELD: perplexity 1 for 300 steps).
        self.norm = SharedBatchNorm(config.dim) if config.normalise else nn.Identity()
        codebook = torch.empty(config.codebook_size, config.dim)
        if not codebook.is_meta:  # there a draw would load torch.compile: seconds of a command
            codebook.normal_()
        self.codebook = nn.Parameter(codebook, requires_grad=config.update == "gradient")
        self.register_buffer("counts", torch.ones(config.codebook_size))
        self.register_buffer("sums", codebook.clone())
        self.register_buffer("initialised", torch.tensor(False))

    def normalised(self, z_e: Tensor) -> Tensor:
        """z_e [B, D, F] scaled as the codes are: float32 [B, D, F]."""
        return self.norm(z_e.float())

    def distances(self, z: Tensor) -> Tensor:
        """|z - e|^2 without |z|^2, which is the same for every code: z [B, D, F] to [B * F, K]."""
        codes = self.codebook.detach()
        return torch.addmm(codes.square().sum(1), flattened(z), codes.T, alpha=-2.0)

    def nearest(self, z: Tensor) -> Tensor:
        """Indices [B, F] (int64) of the codes nearest to z [B, D, F] in L2."""
        return self.distances(z).min(1).indices.view(len(z), -1)  # argmin is slower

    def encode(self, z_e: Tensor) -> Tensor:
        """z_e [B, D, F] to indices [B, F], without gradients or statistics."""
        with torch.autocast(z_e.device.type, enabled=False):
            return self.nearest(self.normalised(z_e))

    def nearest_few(self, z_e: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """The `number` codes nearest to z_e [B, D, F], the nearest first: squared distances, but
        for what is the same for all codes, and indices (int64), [B, number, F] both."""
        with torch.autocast(z_e.device.type, enabled=False):
            distances = self.distances(self.normalised(z_e)).unflatten(0, (len(z_e), -1))
        found = distances.topk(min(number, len(self.codebook)), largest=False)
        return found.values.transpose(1, 2), found.indices.transpose(1, 2)

    def encode_with_ties(self, z_e: Tensor) -> tuple[Tensor, Tensor]:
        """`encode`, and where another code is as near: int64 and bool, [B, F] both.

        A code that is the very same vector is no other one.
        """
        codes = self.codebook.detach()
        with torch.autocast(z_e.device.type, enabled=False):
            z = self.normalised(z_e)
            distances, longest = self.distances(z), codes.norm(dim=1).amax()
            largest = longest * (longest + 2.0 * flattened(z).norm(dim=1))
        least, own = distances.min(1)
        distances.scatter_(1, own[:, None], math.inf)
        ties = distances.amin(1) - least < TIE * largest
        if bool(ties.any()):  # seldom: so the second code is looked for only then
            other = distances[ties].argmin(1)
            ties[ties.clone()] = (codes[other] != codes[own[ties]]).any(1)
        return own.view(len(z), -1), ties.view(len(z), -1)

    def lookup(self, indices: Tensor) -> Tensor:
        """indices [B, F] to z_q [B, D, F]."""
        return F.embedding(indices, self.codebook).transpose(1, 2)

    def forward(self, z_e: Tensor) -> Quantized:
        """Quantise with straight-through gradients; while training also update the codebook."""
        with torch.autocast(z_e.device.type, enabled=False):
            z = self.normalised(z_e)
            if self.training and not self.initialised:
                self._initialise(z.detach())
            indices = self.nearest(z.detach())
            usage = torch.bincount(indices.flatten(), minlength=len(self.codebook)).float()
            z_q = self.lookup(indices)
            codebook_loss = F.mse_loss(z_q, z.detach())
            commitment_loss = F.mse_loss(z, z_q.detach())
            if self.training:
                self._track(z.detach(), indices, sum_over_workers(usage))
            # Straight-through: the value of z_q, the gradient of z.
            z_q = z + (z_q - z).detach()
            if self.training and self.config.jitter:
                z_q = jitter_frames(z_q, self.config.jitter)
        return Quantized(z_q, indices, codebook_loss, commitment_loss, usage)

    def dead_codes(self) -> Tensor:
        """Whose moving count is below the revival threshold: bool [K]."""
        return self.counts < self.config.revive_below * self.counts.mean()

    def _draw(self, z: Tensor, number: int) -> Tensor:
        """`number` of the vectors z [B, D, F] of all workers' batch: [number, D], the same on every
        worker."""
        flat = flattened(z)
        total = len(flat) * world()
        order = torch.randperm(total, device=flat.device)
        picks = order[torch.arange(number, device=flat.device) % total]
        chosen = rows_of_all(flat, from_first_worker(picks))
        if number > total:  # repeated vectors need to differ, or their codes never part
            noise = from_first_worker(torch.randn_like(chosen))
            chosen = chosen + 0.01 * chosen.std() * noise
        return chosen

    @torch.no_grad()
    def _initialise(self, z: Tensor) -> None:
        """Codes from encoder outputs of the first batch."""
        self.codebook.copy_(self._draw(z, len(self.codebook)))
        self.sums.copy_(self.codebook)
        self.counts.fill_(1.0)
        self.initialised.fill_(True)

    @torch.no_grad()
    def _track(self, z: Tensor, indices: Tensor, usage: Tensor) -> None:
        """Moving counts and sums (A.1, equations 6 to 8); revival of codes that nobody chooses.

        z: [B, D, F] and indices: [B, F], of this worker; usage: [K], of all workers.
        """
        decay = self.config.ema_decay
        self.counts.mul_(decay).add_(usage, alpha=1 - decay)
        sums = torch.zeros_like(self.sums).index_add_(0, indices.flatten(), flattened(z))
        self.sums.mul_(decay).add_(sum_over_workers(sums), alpha=1 - decay)
        if self.config.update == "ema":
            total = self.counts.sum()
            smooth = (self.counts + LAPLACE) / (total + len(self.counts) * LAPLACE) * total
            self.codebook.copy_(self.sums / smooth[:, None])
        dead, fair = self.dead_codes(), self.counts.mean()
        if number := int(dead.sum()):
            fresh = self._draw(z, number)
            # Statistics too: with the old ones the next update would undo the revival.
            self.codebook[dead], self.sums[dead], self.counts[dead] = fresh, fresh * fair, fair


def flattened(z: Tensor) -> Tensor:
    """[B, D, F] to [B * F, D], contiguous."""
    return z.transpose(1, 2).reshape(-1, z.shape[1]).contiguous()
