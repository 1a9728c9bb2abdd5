"""Several processes that train one model: sums, draws, statistics as one process has them.

Every process holds an equal share of the batch, in the order of its rank. Alone, each of these
functions is what PyTorch does anyway.
"""

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_nn
import torch.nn.functional as F
from torch import Tensor, nn


def world() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's place among them, from 0."""
    return dist.get_rank() if world() > 1 else 0


def sum_over_workers(x: Tensor) -> Tensor:
    """x summed over all processes, in place; no gradient."""
    if world() > 1:
        dist.all_reduce(x)
    return x


def from_first_worker(x: Tensor) -> Tensor:
    """What the first process has in x, in place."""
    if world() > 1:
        dist.broadcast(x, 0)
    return x


def rows_of_all(flat: Tensor, rows: Tensor) -> Tensor:
    """Rows [N] of all processes' flat [M, D] one below another: [N, D], the same everywhere."""
    own = rows - rank() * len(flat)
    inside = (own >= 0) & (own < len(flat))
    chosen = flat[own.clamp(0, len(flat) - 1)] * inside[:, None]
    return sum_over_workers(chosen.contiguous())


def dropout(x: Tensor, share: float, training: bool) -> Tensor:
    """x [B, ...] with `share` of its values left out in training, as PyTorch does it.

    With several processes, whose random numbers are the same, the mask is drawn for the batch of
    all of them; each has its rows.
    """
    if not training or not share or world() == 1:
        return F.dropout(x, share, training)
    mask = F.dropout(x.new_ones(len(x) * world(), *x.shape[1:]), share)
    return x * mask[rank() * len(x) : (rank() + 1) * len(x)]


class SharedBatchNorm(nn.BatchNorm1d):
    """BatchNorm1d without weights over the frames of all processes: [B, D, F] -> [B, D, F].

    nn.SyncBatchNorm is for GPUs only. Gradients go through the statistics into every process's
    frames, as if one process had the whole batch.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def __init__(self, dim: int):
        super().__init__(dim, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or world() == 1:
            return super().forward(x)
        count = x.shape[0] * x.shape[2] * world()
        mean = dist_nn.all_reduce(x.sum((0, 2))) / count
        centred = x - mean[:, None]
        # Of centred values: the difference of two large sums would lose the digits.
        variance = dist_nn.all_reduce(centred.square().sum((0, 2))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return centred * (variance + self.eps).rsqrt()[:, None]
