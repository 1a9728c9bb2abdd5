"""Adam, and its learning rate over the steps of a stage."""

from collections.abc import Iterable

import torch

from vqspeech.config.training import PriorConfig, StageConfig

DECAY_FRACTION = 1 / 3
"""The last part of a stage, in which the rate falls. Before it the rate is constant, so that a
stage can be lengthened without having decayed too early."""


def learning_rate(stage: StageConfig | PriorConfig, step: int) -> float:
    """Rate at `step`: linear warm-up, constant, then linear to `final_learning_rate`."""
    if step < stage.warmup:
        return stage.learning_rate * (step + 1) / stage.warmup
    start = stage.steps * (1 - DECAY_FRACTION)
    if step < start:
        return stage.learning_rate
    progress = min(1.0, (step - start) / max(1.0, stage.steps - start))
    return stage.learning_rate + progress * (stage.final_learning_rate - stage.learning_rate)


def adam(parameters: Iterable[torch.nn.Parameter], weight_decay: float) -> torch.optim.AdamW:
    """The optimiser of every stage; `set_learning_rate` goes before each step."""
    betas = (0.9, 0.99)
    return torch.optim.AdamW(parameters, betas=betas, weight_decay=weight_decay, fused=True)


def set_learning_rate(optimizer, stage: StageConfig | PriorConfig, step: int) -> float:
    """Give the optimiser the rate of `step`, and return it."""
    rate = learning_rate(stage, step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate
