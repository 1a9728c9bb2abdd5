"""Whether a run has a teacher, that it fits, and that a run that goes on keeps it."""

from dataclasses import dataclass

import torch

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.checkpoint.teacher import TaughtBy
from vqspeech.config.model import TEACHER_HOP, Config
from vqspeech.config.training import StageConfig, TrainingConfig
from vqspeech.errors import InputError
from vqspeech.nn.teacher import Ears, Teacher
from vqspeech.training.state import Position
from vqspeech.training.whisper import WhisperWeights, load_whisper


@dataclass(frozen=True)
class Teaching:
    """A teacher's network, and what a model's note says of it."""

    teacher: Teacher
    note: TaughtBy
    width: int
    """Of its states; 0 where none are to be read from the codes."""

    def on(self, device: torch.device, precision: str) -> None:
        """Move it to where it is to work: products in bfloat16 if that is the run's precision."""
        self.teacher.to(device)
        if precision == "bf16":
            self.teacher.in_bfloat16()


def find_teaching(
    config: Config, name: str | None, left: list[StageConfig], position: Position | None
) -> Teaching | None:
    """The teacher `name` for the stages `left`; None without one, or where none of these needs it.

    Raises InputError: a teacher that cannot be had, that nothing is asked of, that does not fit the
    model, or that is not the one with which the run at `position` was begun.
    """
    weights = config.training
    if name is not None and not weights.taught:
        raise InputError(
            f"--teacher {name}: the configuration '{config.name}' asks nothing of a teacher; set "
            "perceptual_weight or states_weight in its [training], or leave --teacher out"
        )
    stages = [stage for stage in left if stage.taught] if weights.taught else []
    if not stages:
        return None
    found = None if name is None else load_whisper(name)
    if position is not None and position.step:
        _require_same(position, found)
    if found is None:
        return None
    for stage in stages:
        _require_fit(config, stage, found)
    first = Ears(found.encoder(weights.perceptual_layers)) if weights.perceptual_weight else None
    whole = Ears(found.encoder()) if weights.states_weight else None
    width = found.width if weights.states_weight else 0
    return Teaching(Teacher(first, whole), _note(weights, found), width)


def _note(weights: TrainingConfig, found: WhisperWeights) -> TaughtBy:
    return TaughtBy(
        name=found.name,
        fingerprint=found.fingerprint,
        layers=found.layers,
        perceptual_weight=weights.perceptual_weight,
        perceptual_layers=min(weights.perceptual_layers, found.layers),
        states_weight=weights.states_weight,
    )


def _require_same(position: Position, found: WhisperWeights | None) -> None:
    """Raise InputError if the run at `position` was begun with another teacher, or with none."""
    begun = position.teacher
    if (begun and begun.fingerprint) == (found and found.fingerprint):
        return
    if begun is None:
        raise InputError(
            "this run was started without a teacher; leave --teacher out, or choose another --out"
        )
    given = "none is given" if found is None else f"{found.name} is another ({found.fingerprint})"
    raise InputError(
        f"this run was started with the teacher {begun.name} ({begun.fingerprint}), and {given}; "
        "give --teacher with its folder or its name on the hub, or choose another --out"
    )


def _require_fit(config: Config, stage: StageConfig, found: WhisperWeights) -> None:
    """Raise InputError unless the teacher can hear what the model predicts in `stage`."""
    weights, mels = config.training, config.encoder.mels
    wrong = None
    if found.mels != mels:
        wrong = f"hears {found.mels} mel bands, and encoder.mels = {mels}"
    elif weights.perceptual_weight and weights.perceptual_layers > found.layers:
        wrong = f"has {found.layers} layers, and perceptual_layers = {weights.perceptual_layers}"
    elif config.crop_frames(stage) * config.hop > found.positions * TEACHER_HOP:
        wrong = (
            f"hears {found.positions * TEACHER_HOP / SAMPLE_RATE:g} s at most, and the stage "
            f"'{stage.name}' has crop_seconds = {stage.crop_seconds:g}"
        )
    if wrong:
        raise InputError(f"the teacher {found.name} {wrong}: change that, or take another teacher")
