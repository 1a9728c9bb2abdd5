"""Learning rate over the steps of a stage."""

from vqspeech.config.training import StageConfig

DECAY_FRACTION = 1 / 3
"""The last part of a stage, in which the rate falls. Before it the rate is constant, so that a
stage can be lengthened without having decayed too early."""


def learning_rate(stage: StageConfig, step: int) -> float:
    """Rate at `step`: linear warm-up, constant, then linear to `final_learning_rate`."""
    if step < stage.warmup:
        return stage.learning_rate * (step + 1) / stage.warmup
    start = stage.steps * (1 - DECAY_FRACTION)
    if step < start:
        return stage.learning_rate
    progress = min(1.0, (step - start) / max(1.0, stage.steps - start))
    return stage.learning_rate + progress * (stage.final_learning_rate - stage.learning_rate)
