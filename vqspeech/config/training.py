"""How a model is trained: the parts of a `Config` that say so, validated as all of it is."""

from dataclasses import dataclass
from typing import Literal

from vqspeech.config.tables import require, within
from vqspeech.errors import InputError


@dataclass(frozen=True)
class PriorConfig:
    """The autoregressive model of the codes, and how it is fitted once they are trained.

    speaker_dropout: share of training crops whose speaker is not told, for the "any speaker" row.
    The held-out nats are measured every `evaluate_every` steps; the best prior is kept, and the fit
    ends early once `patience` measurements in a row were no better.
    """

    residual_channels: int = 96
    skip_channels: int = 192
    layers: int = 10
    cycle: int = 5
    speaker_dim: int = 32
    dropout: float = 0.2
    speaker_dropout: float = 0.2
    steps: int = 4000
    batch: int = 32
    crop_frames: int = 192
    learning_rate: float = 2e-3
    final_learning_rate: float = 1e-4
    warmup: int = 100
    weight_decay: float = 0.01
    ema_decay: float = 0.99
    evaluate_every: int = 200
    patience: int = 4

    def __post_init__(self):
        widths = {"residual_channels": self.residual_channels, "skip_channels": self.skip_channels}
        within("prior", 1, 1024, speaker_dim=self.speaker_dim, **widths)
        within("prior", 1, 64, layers=self.layers)
        within("prior", 1, 12, cycle=self.cycle)
        within("prior", 0.0, 0.9, dropout=self.dropout, speaker_dropout=self.speaker_dropout)
        within("prior", 1, 10**9, steps=self.steps, evaluate_every=self.evaluate_every)
        within("prior", 1, 4096, batch=self.batch, patience=self.patience)
        within("prior", 2, 65536, crop_frames=self.crop_frames)
        within("prior", 1e-8, 1.0, learning_rate=self.learning_rate)
        within("prior", 0.0, 1.0, final_learning_rate=self.final_learning_rate)
        within("prior", 0, 10**6, warmup=self.warmup)
        within("prior", 0.0, 1.0, weight_decay=self.weight_decay)
        within("prior", 0.0, 0.999999, ema_decay=self.ema_decay)

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each layer: 1, 2, 4, ... over a cycle, then again."""
        return tuple(2 ** (layer % self.cycle) for layer in range(self.layers))


@dataclass(frozen=True)
class StageConfig:
    """One stretch of training.

    `name`: "codes" trains encoder, codebook and conditioning on the auxiliary log-mel loss alone;
    "waveform" freezes encoder and codebook and trains conditioning and WaveNet; "joint" trains all.
    """

    name: Literal["codes", "waveform", "joint"]
    steps: int
    batch: int = 32
    crop_seconds: float = 1.28
    decoder_seconds: float = 0.64
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-4
    warmup: int = 200
    ema_decay: float = 0.999
    gradient_clip: float = 1.0

    def __post_init__(self):
        where = f"training.stages: {self.name}"
        within(where, 1, 10**9, steps=self.steps)
        within(where, 1, 4096, batch=self.batch)
        within(where, 0.01, 60.0, crop_seconds=self.crop_seconds)
        within(where, 0.01, self.crop_seconds, decoder_seconds=self.decoder_seconds)
        within(where, 1e-8, 1.0, learning_rate=self.learning_rate)
        within(where, 0.0, 1.0, final_learning_rate=self.final_learning_rate)
        within(where, 0, 10**6, warmup=self.warmup)
        within(where, 0.0, 0.999999, ema_decay=self.ema_decay)
        within(where, 1e-6, 1e6, gradient_clip=self.gradient_clip)


@dataclass(frozen=True)
class TrainingConfig:
    """Stages in their order and the weights of the auxiliary terms in each: log-mel, its cepstra
    (`nn.heads`), F0 with voicing, phonemes."""

    stages: tuple[StageConfig, ...] = ()
    log_mel_weight: float = 1.0
    cepstrum_weight: float = 0.0
    pitch_weight: float = 0.5
    phoneme_weight: float = 0.1
    weight_decay: float = 0.0

    def __post_init__(self):
        weights = {"log_mel_weight": self.log_mel_weight, "pitch_weight": self.pitch_weight}
        weights |= {"cepstrum_weight": self.cepstrum_weight, "phoneme_weight": self.phoneme_weight}
        within("training", 0.0, 1000.0, **weights)
        within("training", 0.0, 1.0, weight_decay=self.weight_decay)
        names = [stage.name for stage in self.stages]
        require(
            len(set(names)) == len(names), "training", f"each stage may occur once, not {names}"
        )

    def stage(self, name: str) -> StageConfig:
        """The stage of that name; `InputError` names those that the preset has."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = ", ".join(stage.name for stage in self.stages) or "none"
        raise InputError(f"the configuration has no training stage '{name}' (it has: {names})")
