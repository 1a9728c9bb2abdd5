"""How a model is trained: the parts of a `Config` that say so, validated as all of it is."""

from dataclasses import dataclass
from typing import Literal

from vqspeech.config.tables import Table, within
from vqspeech.errors import InputError


@dataclass(frozen=True)
class PriorConfig(Table, table="prior"):
    """The autoregressive model of the codes, and how it is fitted once they are trained.

    speaker_dropout: share of training crops whose speaker is not told, for the "any speaker" row.
    The held-out nats are measured every `evaluate_every` steps; the best prior is kept, and the fit
    ends early once `patience` measurements in a row were no better.
    """

    residual_channels: int = within(1, 1024, 96)
    skip_channels: int = within(1, 1024, 192)
    layers: int = within(1, 64, 10)
    cycle: int = within(1, 12, 5)
    speaker_dim: int = within(1, 1024, 32)
    dropout: float = within(0.0, 0.9, 0.2)
    speaker_dropout: float = within(0.0, 0.9, 0.2)
    steps: int = within(1, 10**9, 4000)
    batch: int = within(1, 4096, 32)
    crop_frames: int = within(2, 65536, 192)
    learning_rate: float = within(1e-8, 1.0, 2e-3)
    final_learning_rate: float = within(0.0, 1.0, 1e-4)
    warmup: int = within(0, 10**6, 100)
    weight_decay: float = within(0.0, 1.0, 0.01)
    ema_decay: float = within(0.0, 0.999999, 0.99)
    evaluate_every: int = within(1, 10**9, 200)
    patience: int = within(1, 4096, 4)

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each layer: 1, 2, 4, ... over a cycle, then again."""
        return tuple(2 ** (layer % self.cycle) for layer in range(self.layers))


@dataclass(frozen=True)
class StageConfig(Table, table="training.stages: {name}"):
    """One stretch of training.

    `name`: "codes" trains encoder, codebook and conditioning on the auxiliary log-mel loss alone;
    "levels" freezes encoder and codebook and trains the levels above the first and conditioning on
    that loss; "waveform" freezes all codes and trains conditioning and WaveNet; "joint" trains all
    but the upper levels. muon: of the learning rate, what the WaveNet's matrices get by Muon; 0:
    they go by Adam, as everything else does. conditioning: of it, what in "waveform" conditioning
    and voices get; 0: they stand still, and what a WaveNet learns costs no rate its log-mel.
    """

    name: Literal["codes", "levels", "waveform", "joint"]
    steps: int = within(1, 10**9)
    batch: int = within(1, 4096, 32)
    crop_seconds: float = within(0.01, 60.0, 1.28)
    decoder_seconds: float = within(0.01, 60.0, 0.64)
    learning_rate: float = within(1e-8, 1.0, 1e-3)
    final_learning_rate: float = within(0.0, 1.0, 1e-4)
    warmup: int = within(0, 10**6, 200)
    muon: float = within(0.0, 1000.0, 0.0)
    conditioning: float = within(0.0, 1000.0, 1.0)
    ema_decay: float = within(0.0, 0.999999, 0.999)
    gradient_clip: float = within(1e-6, 1e6, 1.0)

    def __post_init__(self):
        super().__post_init__()
        fits = self.decoder_seconds <= self.crop_seconds
        self.require(fits, f"decoder_seconds must be crop_seconds = {self.crop_seconds} or less")
        heeded = self.conditioning == 1 or self.name == "waveform"
        self.require(heeded, "conditioning is for the stage waveform alone")

    @property
    def taught(self) -> bool:
        """Whether a teacher has anything to say in it: where codes are trained."""
        return self.name != "waveform"


@dataclass(frozen=True)
class DegradationConfig(Table, table="training.degradation"):
    """What happens to a share of the crops before the encoder hears them, while the target stays:
    phones and rooms shall not move codes (`nn.degradation`). Each by itself, in this order.

    reverberation, noise, babble, narrow_band: its probability for a crop; 0: never. In ranges, from
    which each crop draws: reverberation_seconds: until it has fallen by 60 dB. direct_db: level of
    the direct sound over the reverberation. noise_db, babble_db: of the speech over them.
    upper_hz: where a narrow band, as of a telephone, ends.
    """

    reverberation: float = within(0.0, 1.0, 0.0)
    reverberation_seconds: tuple[float, ...] = within(0.01, 5.0, (0.1, 0.6))
    direct_db: tuple[float, ...] = within(-20.0, 60.0, (0.0, 15.0))
    noise: float = within(0.0, 1.0, 0.0)
    noise_db: tuple[float, ...] = within(-20.0, 80.0, (8.0, 35.0))
    babble: float = within(0.0, 1.0, 0.0)
    babble_db: tuple[float, ...] = within(-20.0, 80.0, (8.0, 25.0))
    narrow_band: float = within(0.0, 1.0, 0.0)
    upper_hz: tuple[float, ...] = within(1000.0, 8000.0, (3300.0, 4000.0))

    def __post_init__(self):
        super().__post_init__()
        for name in ("reverberation_seconds", "direct_db", "noise_db", "babble_db", "upper_hz"):
            limits = getattr(self, name)
            fits = len(limits) == 2 and limits[0] <= limits[1]
            self.require(fits, f"{name} must be [lowest, highest], not {list(limits)}")


@dataclass(frozen=True)
class TrainingConfig(Table, table="training"):
    """Stages in their order and the weights of the auxiliary terms in each: log-mel, its cepstra
    (`nn.heads`), F0 with voicing, phonemes.

    And, in a run that has a teacher (`nn.teacher`), of what it says wherever codes are trained; 0:
    it is not asked. perceptual_weight: of its states of the predicted log-mel against those of the
    true one, after its first perceptual_layers layers. states_weight: of its last states, which
    are to be read from the codes.
    """

    stages: tuple[StageConfig, ...] = ()
    log_mel_weight: float = within(0.0, 1000.0, 1.0)
    cepstrum_weight: float = within(0.0, 1000.0, 0.0)
    pitch_weight: float = within(0.0, 1000.0, 0.5)
    phoneme_weight: float = within(0.0, 1000.0, 0.1)
    perceptual_weight: float = within(0.0, 1000.0, 0.0)
    perceptual_layers: int = within(1, 64, 3)
    states_weight: float = within(0.0, 1000.0, 0.0)
    weight_decay: float = within(0.0, 1.0, 0.0)
    degradation: DegradationConfig = DegradationConfig()

    def __post_init__(self):
        super().__post_init__()
        names = [stage.name for stage in self.stages]
        self.require(len(set(names)) == len(names), f"each stage may occur once, not {names}")

    @property
    def taught(self) -> bool:
        """Whether anything is asked of a teacher."""
        return self.perceptual_weight > 0 or self.states_weight > 0

    def stage(self, name: str) -> StageConfig:
        """The stage of that name; `InputError` names those that the preset has."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = ", ".join(stage.name for stage in self.stages) or "none"
        raise InputError(f"the configuration has no training stage '{name}' (it has: {names})")
