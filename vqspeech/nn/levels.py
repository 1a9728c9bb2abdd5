"""Upper levels: what the codes leave unsaid, said by further codes of the same frames.

Residual vector quantization (Zeghidour et al. 2021, "SoundStream", section III-C): each level has
codebooks of its own for what those below it leave of z_e. The first level is the quantizer's and
stands without the others; so a recording of several levels is one of fewer, too.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vqspeech.config.networks import QuantizerConfig
from vqspeech.nn.distributed import rank, world
from vqspeech.nn.interleaving import InterleavedQuantizer


class Said(NamedTuple):
    """What upper levels add: z [B, D, F]; error [L], the mean square of what is left above each of
    them, and usage [L, entries] of their codes."""

    z: Tensor
    error: Tensor
    usage: Tensor


class UpperLevels(nn.Module):
    """The levels above the first, each a quantizer whose codebooks take turns as the first's do."""

    quantizers: Any  # a list of `InterleavedQuantizer`; PyTorch's type does not say of what

    def __init__(self, config: QuantizerConfig):
        super().__init__()
        # What is left has no scale of its own to learn: it is that of z_e, which is normalised.
        plain = replace(config, normalise=False, update="ema", jitter=0.0, levels=1)
        self.quantizers = nn.ModuleList(
            InterleavedQuantizer(plain) for _ in range(config.levels - 1)
        )

    @property
    def initialised(self) -> bool:
        """Whether the codes were once drawn from speech."""
        return all(quantizer.initialised for quantizer in self.quantizers)

    def encode_with_ties(self, left: Tensor, levels: int) -> tuple[Tensor, Tensor]:
        """What the first level leaves of z_e, [B, D, F], to the indices of the first `levels` of
        these, and where another code is as near: int64 and bool, [B, levels, F] both."""
        found = []
        for quantizer in self.quantizers[:levels]:
            found.append(quantizer.encode_with_ties(left))
            left = left - quantizer.lookup(found[-1][0])
        indices, ties = zip(*found, strict=True)
        return torch.stack(indices, 1), torch.stack(ties, 1)

    def lookup(self, indices: Tensor) -> Tensor:
        """Indices [B, levels, F], of all or of the first of them, to what they add: [B, D, F]."""
        known = zip(self.quantizers, indices.unbind(1), strict=False)
        parts = [quantizer.lookup(own) for quantizer, own in known]
        return torch.stack(parts).sum(0)

    def forward(self, left: Tensor, counts: Tensor) -> Said:
        """What the levels say of what the first one leaves, [B, D, F].

        counts: [B] how many levels each recording has, the first one counted: those above say
        nothing. All of them learn from all recordings.
        """
        total, errors, usage = torch.zeros_like(left), [], []
        for level, quantizer in enumerate(self.quantizers, 2):
            found = quantizer(left)
            z = quantizer.lookup(found.indices)
            total = total + z * (counts >= level)[:, None, None]
            left = left - z
            errors.append(left.square().mean())
            usage.append(found.usage)
        return Said(total, torch.stack(errors), torch.stack(usage))


def draw_counts(levels: int, batch: int, device: torch.device) -> Tensor:
    """For each of B crops of training how many of `levels` it has, from 1 up: int64 [B].

    The first alone, which most is decoded from, twice as often as any other number.
    """
    # Drawn for the batch of all workers, whose random numbers are the same; each has its rows.
    counts = torch.randint(levels + 1, (batch * world(),), device=device).clamp(min=1)
    return counts[rank() * batch : (rank() + 1) * batch]
