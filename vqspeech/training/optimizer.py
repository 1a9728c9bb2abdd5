"""Adam, Muon for the matrices of a WaveNet, and their learning rates over the steps of a stage.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) makes the momentum of a matrix
orthogonal before it is added: all its directions grow alike, not only the strongest. A WaveNet
predicts better after as many steps (`docs/experiments.md`).
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from vqspeech.config.training import PriorConfig, StageConfig
from vqspeech.nn.decoder import WaveNetDecoder

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


def adam(parameters: Iterable[Any], weight_decay: float) -> torch.optim.AdamW:
    """Adam of parameters or groups of them; `set_learning_rate` goes before each step."""
    betas = (0.9, 0.99)
    return torch.optim.AdamW(parameters, betas=betas, weight_decay=weight_decay, fused=True)


def optimizers(
    parameters: list[nn.Parameter], decoder: WaveNetDecoder, stage: StageConfig, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """Adam and, where the stage asks for it, Muon for the matrices of `decoder` among them; what is
    not the decoder's goes at the pace that the stage has for it."""
    own = {id(p) for p in decoder.parameters()}
    matrices = {id(p) for p in decoder.parameters() if p.ndim == 2} if stage.muon else set()
    around = stage.conditioning or 1.0  # with 0 there are speakers at most, who are new
    paces = {1.0: [], around: []}
    for parameter in parameters:
        if id(parameter) not in matrices:
            paces[1.0 if id(parameter) in own else around].append(parameter)
    groups = [{"params": some, "factor": pace} for pace, some in paces.items() if some]
    found: list[torch.optim.Optimizer] = [adam(groups, weight_decay)]
    if moved := [p for p in parameters if id(p) in matrices]:
        # Scaled to the size of Adam's steps: one rate serves both, but for the stage's factor.
        like_adam = {"adjust_lr_fn": "match_rms_adamw", "weight_decay": weight_decay}
        found.append(torch.optim.Muon(moved, **like_adam))
        found[-1].param_groups[0]["factor"] = stage.muon
    return found


def set_learning_rate(optimizer, stage: StageConfig | PriorConfig, step: int) -> float:
    """Give an optimiser the rate of `step`, each group by its factor; returns the stage's."""
    rate = learning_rate(stage, step)
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)
    return rate
