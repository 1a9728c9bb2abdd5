"""Exponential moving average of a model's weights: what is evaluated and shipped."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average of every floating-point entry of a state dict, codebook and statistics included.

    The decay starts low, min(decay, (1 + n) / (10 + n)) after n updates, so that the random
    initial weights leave the average at once.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay, self.updates = decay, 0
        self.weights = {k: v.detach().clone() for k, v in self._entries(model).items()}

    @staticmethod
    def _entries(model: nn.Module) -> dict[str, Tensor]:
        return {k: v for k, v in model.state_dict().items() if v.is_floating_point()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = self._entries(model)
        weights, wanted = list(self.weights.values()), [current[k] for k in self.weights]
        torch._foreach_lerp_(weights, wanted, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    def copy_to(self, model: nn.Module) -> None:
        """Put the averaged weights into `model`."""
        model.load_state_dict(self.weights, strict=False)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with averaged weights and in evaluation mode inside the block."""
        kept = {k: v.detach().clone() for k, v in self._entries(model).items()}
        modes = {module: module.training for module in model.modules()}
        self.copy_to(model)
        model.eval()
        try:
            yield
        finally:
            model.load_state_dict(kept, strict=False)
            for module, training in modes.items():
                module.training = training
