"""The two ways in which a VQ-VAE fails silently, noticed and said in words."""

import torch
from torch import Tensor

from vqspeech.nn.quantizer import perplexity

COLLAPSED_FRACTION = 0.1
"""Warn when an epoch's perplexity is below this part of the codebook."""

IGNORED_NATS = 0.02
"""Warn when shuffled codes cost less than this much more than the right ones, a WaveNet step."""


class CodeUsage:
    """How often each code was chosen, over the running epoch and over the last whole one.

    `counts`: "running" and, once there was one, "epoch", each [entries]. `step`: steps done
    already.
    """

    def __init__(self, entries: int, steps_per_epoch: int, step: int = 0):
        self.steps_per_epoch, self._step = max(1, steps_per_epoch), step
        self.counts: dict[str, Tensor] = {"running": torch.zeros(entries)}

    def add(self, usage: Tensor) -> bool:
        """Count one batch [entries]; True if it ended an epoch."""
        self.counts["running"] += usage.cpu()
        self._step += 1
        if self._step % self.steps_per_epoch:
            return False
        self.counts["epoch"] = self.counts["running"]
        self.counts["running"] = torch.zeros_like(self.counts["running"])
        return True

    def figures(self) -> dict[str, float]:
        """Perplexity and codes used, over the last epoch (over the running one until it ends)."""
        usage = self.counts.get("epoch", self.counts["running"])
        return {
            "epoch_perplexity": float(perplexity(usage)),
            "epoch_codes_used": float((usage > 0).sum()),
        }


def collapse_warning(figures: dict[str, float], entries: int) -> str | None:
    """What to say if the codebook has collapsed, from an epoch's figures."""
    value = figures["epoch_perplexity"]
    if value >= COLLAPSED_FRACTION * entries:
        return None
    return (
        f"the codebook is collapsing: perplexity {value:.0f} of {entries} over the last epoch, "
        f"{figures['epoch_codes_used']:.0f} codes used. Lower the learning rate or the commitment "
        "weight, or set quantizer.normalise = true and a higher quantizer.revive_below."
    )


def ignored_warning(right: float, shuffled: float) -> str | None:
    """What to say if the decoder ignores the codes; both in nats a WaveNet step."""
    if shuffled - right >= IGNORED_NATS:
        return None
    return (
        f"the decoder ignores the codes: {shuffled:.3f} nats a step with shuffled codes, "
        f"{right:.3f} with the right ones. It is too early, or the codes carry nothing: train "
        "the stage 'codes' longer first, or use a smaller decoder."
    )
