"""What a model is: validated dataclasses, read from TOML presets or JSON.

Its networks stand in `config.networks`, how it is trained in `config.training`, what is tuned to it
in `config.rendering`.

Every table of a preset is one dataclass. A key that no dataclass has, a value of another type or an
impossible value is an `InputError` that names the table and the key.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from vqspeech.arguments import real
from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE
from vqspeech.config.networks import (
    ConditioningConfig,
    DecoderConfig,
    EncoderConfig,
    QuantizerConfig,
    SpeakerEncoderConfig,
)
from vqspeech.config.rendering import ConversionConfig, PostFilterConfig
from vqspeech.config.tables import Table, build, within
from vqspeech.config.training import PriorConfig, StageConfig, TrainingConfig
from vqspeech.errors import InputError

TEACHER_HOP = 2 * FILTER_BANK_HOP
"""Samples from one state of a teacher to the next (`nn.teacher`)."""


@dataclass(frozen=True)
class Config(Table, table="model"):
    """A whole model: geometry, parts, training."""

    name: str
    hop: int = within(1, 16000, 320)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    conditioning: ConditioningConfig = field(default_factory=ConditioningConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    postfilter: PostFilterConfig = field(default_factory=PostFilterConfig)
    conversion: ConversionConfig = field(default_factory=ConversionConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    prior: PriorConfig | None = None
    speaker_encoder: SpeakerEncoderConfig | None = None

    def __post_init__(self):
        super().__post_init__()
        self.require(
            self.name.isprintable() and 1 <= len(self.name) <= 100,
            "name must be one line of 1 to 100 characters",
        )
        self._check_hop()
        for stage in self.training.stages:
            self._check_stage(stage)

    def _check_hop(self) -> None:
        self.require(
            self.hop % self.decoder.bands == 0,
            f"hop = {self.hop} must be a multiple of decoder.bands = {self.decoder.bands}",
        )
        if self.encoder.kind == "strided":
            product = math.prod(self.encoder.strides)
            self.encoder.require(
                product == self.hop, f"strides multiply to {product}, but hop = {self.hop}"
            )
        else:
            self.require(
                self.hop % FILTER_BANK_HOP == 0,
                f"hop = {self.hop} must be a multiple of {FILTER_BANK_HOP} for a log-mel encoder",
            )
        if self.conditioning.log_mel_head or self.conditioning.pitch_head:
            self.conditioning.require(
                self.hop % FILTER_BANK_HOP == 0,
                "log_mel_head and pitch_head need a hop that is a multiple of "
                f"{FILTER_BANK_HOP}, not {self.hop}",
            )
        weights = self.training
        weights.require(
            self.conditioning.log_mel_head or not weights.taught,
            "perceptual_weight and states_weight need conditioning.log_mel_head = true: a teacher "
            "hears log-mels",
        )
        weights.require(
            self.hop % TEACHER_HOP == 0 or not weights.states_weight,
            f"states_weight needs a hop that is a multiple of {TEACHER_HOP}, not {self.hop}: each "
            "code says one or several of a teacher's states",
        )
        self.quantizer.require(
            self.quantizer.levels == 1 or not self.quantizer.jitter,
            "levels above 1 need jitter = 0: they say what the codes of their own frame do not",
        )
        self.quantizer.require(
            self.quantizer.levels == 1 or self.conditioning.log_mel_head,
            "levels above 1 need conditioning.log_mel_head = true, to which they add",
        )
        values = self.quantizer.codebooks * self.hop // FILTER_BANK_HOP * self.encoder.mels
        self.quantizer.require(
            self.quantizer.levels == 1 or self.quantizer.upper_dim <= values,
            f"upper_dim = {self.quantizer.upper_dim} must be {values} or less, the values of the "
            "log-mel while all codebooks have one turn",
        )
        self.decoder.require(
            self.conditioning.pitch_head or not self.decoder.harmonics,
            "harmonics need conditioning.pitch_head = true: their phase runs on from its F0",
        )
        self.require(
            self.conditioning.pitch_head or not self.decoder.long_term,
            "long_term needs conditioning.pitch_head = true: a period is as long as its F0 says",
        )
        self.decoder.require(
            self.conditioning.pitch_head or not self.decoder.voiced_temperatures,
            "voiced_temperatures need conditioning.pitch_head = true, which says what is voiced",
        )
        self.decoder.require(
            self.conditioning.log_mel_head or not self.decoder.scaled,
            "scaled needs conditioning.log_mel_head = true, which says the levels",
        )

    def _check_stage(self, stage: StageConfig) -> None:
        books, frames = self.quantizer.codebooks, self.crop_frames(stage)
        stage.require(
            frames % books == 0,
            f"crop_seconds = {stage.crop_seconds} is {frames} frames, which must be a multiple of "
            f"quantizer.codebooks = {books}",
        )
        stage.require(
            not self.quantizer.normalise or stage.batch * frames > books,
            "quantizer.normalise needs more than one frame a batch and codebook: raise batch or "
            "crop_seconds",
        )
        stage.require(
            frames * self.hop >= FILTER_BANK_HOP,
            f"crop_seconds = {stage.crop_seconds} is {frames * self.hop} samples, which must be "
            f"{FILTER_BANK_HOP} or more: a log-mel is made of them",
        )
        if stage.name == "levels":
            several = self.quantizer.levels > 1
            stage.require(several, "needs quantizer.levels above 1: they are what it trains")
        if stage.name in ("codes", "levels"):
            stage.require(self.conditioning.log_mel_head, "needs conditioning.log_mel_head = true")
            return
        first, last = self.decoder_window(stage)
        steps, reach = (last - first) * self.steps_per_frame, self.decoder.receptive_field
        stage.require(
            first == 0 or steps > reach,
            f"decoder_seconds = {stage.decoder_seconds} is {steps} WaveNet steps, which must be "
            f"more than its receptive field of {reach}, or all of crop_seconds",
        )

    @property
    def frame_rate(self) -> float:
        """Codes a second."""
        return SAMPLE_RATE / self.hop

    @property
    def bit_rate(self) -> float:
        """bit/s of the plain codes of a level: frame rate times log2 of the codebook's size,
        rounded up."""
        return self.frame_rate * (self.quantizer.codebook_size - 1).bit_length()

    def bit_rates(self, most: int | None = None) -> tuple[float, ...]:
        """bit/s with one level, with two, ... up to `most` (None: all)."""
        return tuple(self.bit_rate * n for n in range(1, (most or self.quantizer.levels) + 1))

    def levels_at(self, bitrate: float | None, most: int | None = None) -> int:
        """Levels, of `most` (None: all), that take `bitrate` bit/s as plain indices; None: the
        first alone. Raises InputError for a rate that there is not."""
        if bitrate is None:
            return 1
        rate, rates = real("bitrate", bitrate, 0, math.inf), self.bit_rates(most)
        for level, one in enumerate(rates, 1):
            if math.isclose(rate, one, rel_tol=1e-5):  # as it is printed, in six digits
                return level
        known = ", ".join(f"{one:g}" for one in rates)
        raise InputError(f"bitrate {rate:g} is none that this model has: {known} bit/s")

    @property
    def steps_per_frame(self) -> int:
        """WaveNet steps a code: hop / bands."""
        return self.hop // self.decoder.bands

    def crop_frames(self, stage: StageConfig) -> int:
        """Code frames in a training crop of `stage`: whole ones, at least one."""
        return max(1, round(stage.crop_seconds * self.frame_rate))

    @property
    def reference_samples(self) -> int:
        """Samples of the same speaker that the speaker encoder hears with a crop; 0 without one."""
        if self.speaker_encoder is None:
            return 0
        frames = round(self.speaker_encoder.reference_seconds * SAMPLE_RATE / FILTER_BANK_HOP)
        return frames * FILTER_BANK_HOP

    def decoder_window(self, stage: StageConfig) -> tuple[int, int]:
        """First and last + 1 frame, in the middle of a crop, on which the WaveNet is trained."""
        frames = self.crop_frames(stage)
        inner = max(1, min(frames, round(stage.decoder_seconds * self.frame_rate)))
        first = (frames - inner) // 2
        return first, first + inner

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        return dataclasses.asdict(self)


def from_dict(table: dict[str, Any]) -> Config:
    """A validated `Config` from nested dictionaries; `InputError` names the key that is wrong."""
    return build(Config, table, "model")
