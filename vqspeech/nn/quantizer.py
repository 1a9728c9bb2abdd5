"""The vector quantizer: nearest neighbour, straight-through gradient, two ways to learn codes.

van den Oord et al. 2017: section 3.2 (equation 3: codebook and commitment terms) and appendix A.1
(moving-average update).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config.model import QuantizerConfig
from vqspeech.nn.distributed import (
    SharedBatchNorm,
    from_first_worker,
    rank,
    rows_of_all,
    sum_over_workers,
    world,
)
from vqspeech.nn.interleaving import by_book, in_turn

LAPLACE = 1e-5
"""Smoothing of the moving counts, so that an unused code divides by no zero."""


class Quantized(NamedTuple):
    """What the quantizer returns: z_q [B, D, F], indices [B, F] and the terms of the loss."""

    z_q: Tensor
    indices: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor
    usage: Tensor  # [entries] how often each was chosen; in training by all workers together


def perplexity(usage: Tensor) -> Tensor:
    """exp of the entropy of the code frequencies: usage [N] counts -> scalar in 1..N."""
    p = usage.float() / usage.sum().clamp_min(1)
    return torch.exp(-(p * torch.log(p.clamp_min(1e-12))).sum())


def jitter_frames(x: Tensor, probability: float, distance: int = 1) -> Tensor:
    """Replace each frame of x [B, D, F], with `probability`, by its left or right neighbour.

    Chorowski et al. 2019, section III-C: codes may then not rely on exact neighbours. distance: in
    frames, to the next one of the same codebook.
    """
    batch, _, frames = x.shape
    # Drawn for the batch of all workers, whose random numbers are the same; each has its rows.
    draw = torch.rand(batch * world(), frames, device=x.device)
    draw = draw[rank() * batch : (rank() + 1) * batch]
    move = (draw < probability / 2).long() - (draw > 1 - probability / 2).long()
    source = torch.arange(frames, device=x.device) + distance * move
    source = torch.where((source < 0) | (source >= frames), source - distance * move, source)
    return x.gather(2, source[:, None].expand_as(x))


class VectorQuantizer(nn.Module):
    """z_e [B, D, F] to the nearest of K codes, L2, frame by frame.

    Frame n takes the codebook of number n mod P; their P * K vectors are the rows of `codebook`.
    """

    def __init__(self, config: QuantizerConfig):
        super().__init__()
        self.config = config
        entries, dim = config.entries, config.dim
        # Codes are drawn from encoder outputs, which therefore need a known scale: without this
        # normalisation all frames fall on one code at first (FIELD: perplexity 1 for 300 steps).
        wide = dim * config.codebooks
        self.norm = SharedBatchNorm(wide) if config.normalise else nn.Identity()
        by_gradient = config.update == "gradient"
        self.codebook = nn.Parameter(torch.randn(entries, dim), requires_grad=by_gradient)
        self.register_buffer("counts", torch.ones(entries))
        self.register_buffer("sums", self.codebook.detach().clone())
        self.register_buffer("initialised", torch.tensor(False))

    def normalised(self, z_e: Tensor) -> Tensor:
        """z_e [B, D, F], any F, scaled as the codes are: float32 [B, D, F]."""
        books = self.config.codebooks
        # In training F is a multiple of the codebooks: no zeros get into the statistics.
        return in_turn(self.norm(by_book(z_e.float(), books)), books, z_e.shape[2])

    def nearest(self, z: Tensor) -> Tensor:
        """Indices [B, F] (int64) of the codes nearest to z [B, D, F] in L2."""
        books, (batch, dim, frames) = self.config.codebooks, z.shape
        own = by_book(z, books).unflatten(1, (books, dim)).permute(1, 0, 3, 2)
        codes = self.codebook.detach().view(books, -1, dim)
        # |z - e|^2 without |z|^2, which is the same for every code.
        products = own.reshape(books, -1, dim) @ codes.transpose(1, 2)
        indices = (codes.square().sum(2)[:, None] - 2.0 * products).argmin(2)
        return in_turn(indices.view(books, batch, -1).transpose(0, 1), books, frames)[:, 0]

    def rows(self, indices: Tensor) -> Tensor:
        """Indices [B, F] of frames from a recording's first on, to rows of `codebook`."""
        return self.config.rows(indices, torch.arange(indices.shape[1], device=indices.device))

    def encode(self, z_e: Tensor) -> Tensor:
        """z_e [B, D, F] to indices [B, F], without gradients or statistics."""
        with torch.autocast(z_e.device.type, enabled=False):
            return self.nearest(self.normalised(z_e))

    def lookup(self, indices: Tensor) -> Tensor:
        """indices [B, F] to z_q [B, D, F]."""
        return F.embedding(self.rows(indices), self.codebook).transpose(1, 2)

    def forward(self, z_e: Tensor) -> Quantized:
        """Quantise with straight-through gradients; while training also update the codebook."""
        with torch.autocast(z_e.device.type, enabled=False):
            z = self.normalised(z_e)
            if self.training and not self.initialised:
                self._initialise(z.detach())
            indices = self.nearest(z.detach())
            rows = self.rows(indices).flatten()
            usage = torch.bincount(rows, minlength=self.config.entries).float()
            z_q = self.lookup(indices)
            codebook_loss = F.mse_loss(z_q, z.detach())
            commitment_loss = F.mse_loss(z, z_q.detach())
            if self.training:
                self._track(z.detach(), rows, sum_over_workers(usage))
            # Straight-through: the value of z_q, the gradient of z.
            z_q = z + (z_q - z).detach()
            if self.training and self.config.jitter:
                z_q = jitter_frames(z_q, self.config.jitter, self.config.codebooks)
        return Quantized(z_q, indices, codebook_loss, commitment_loss, usage)

    def dead_codes(self) -> int:
        """Codes whose moving count is below the revival threshold."""
        return int((self.counts < self._threshold()).sum())

    def _threshold(self) -> Tensor:
        return self.config.revive_below * self.counts.mean()

    def _draw(self, z: Tensor, book: int, number: int) -> Tensor:
        """`number` of the vectors z [B, D, F] that a codebook's frames have in all workers' batch
        [number, D], the same on every worker."""
        flat = flattened(z[..., book :: self.config.codebooks])
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
        books, codes = self.config.codebooks, self.config.codebook_size
        self.codebook.copy_(torch.cat([self._draw(z, book, codes) for book in range(books)]))
        self.sums.copy_(self.codebook)
        self.counts.fill_(1.0)
        self.initialised.fill_(True)

    @torch.no_grad()
    def _track(self, z: Tensor, rows: Tensor, usage: Tensor) -> None:
        """Moving counts and sums (A.1, equations 6 to 8); revival of codes that nobody chooses.

        z: [B, D, F], this worker's frames; rows: [B * F], of their codes; usage: [entries], of all
        workers.
        """
        decay, entries = self.config.ema_decay, self.config.entries
        self.counts.mul_(decay).add_(usage, alpha=1 - decay)
        sums = torch.zeros_like(self.sums).index_add_(0, rows, flattened(z))
        self.sums.mul_(decay).add_(sum_over_workers(sums), alpha=1 - decay)
        if self.config.update == "ema":
            total = self.counts.sum()
            smooth = (self.counts + LAPLACE) / (total + entries * LAPLACE) * total
            self.codebook.copy_(self.sums / smooth[:, None])
        dead, fair = self.counts < self._threshold(), self.counts.mean()
        for book, of_book in enumerate(dead.view(self.config.codebooks, -1)):
            if number := int(of_book.sum()):
                fresh = self._draw(z, book, number)
                here = book * self.config.codebook_size + of_book.nonzero().squeeze(1)
                # Statistics too: with the old ones the next update would undo the revival.
                self.codebook[here] = fresh
                self.sums[here] = fresh * fair
                self.counts[here] = fair


def flattened(z: Tensor) -> Tensor:
    """[B, D, F] to [B * F, D], contiguous."""
    return z.transpose(1, 2).reshape(-1, z.shape[1])
