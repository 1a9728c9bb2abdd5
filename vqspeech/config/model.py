"""What a model is: validated dataclasses, read from TOML presets or JSON.

How it is trained stands in `config.training`.

Every table of a preset is one dataclass. A key that no dataclass has, a value of another type or an
impossible value is an `InputError` that names the table and the key.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from vqspeech.arguments import real
from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE
from vqspeech.config.tables import Table, build, within
from vqspeech.config.training import PriorConfig, StageConfig, TrainingConfig
from vqspeech.errors import InputError

MOST_GUIDANCE = 2.0
"""Beyond it conversions are caricatures."""
TEACHER_HOP = 2 * FILTER_BANK_HOP
"""Samples from one state of a teacher to the next (`nn.teacher`)."""
MOST_WARPED_MELS = 128
"""With more, some low mel bands share their FFT bins, and nothing lies between them."""


@dataclass(frozen=True)
class EncoderConfig(Table, table="encoder"):
    """Waveform to z_e.

    `kind = "logmel"`: a log-mel filter bank, residual blocks at 100 Hz, a stride, blocks at 50 Hz.
    `kind = "strided"`: the paper's raw convolutions, `window` wide with stride `stride`, one a
    downsampling, followed by residual blocks at the code rate.

    low_bins: of a log-mel encoder, bins of a second spectrum beside the mel bands, with a window
    long enough to part the harmonics of a low voice; 0 for none.

    How a log-mel encoder hears a recording in training, while the target stays, so that codes leave
    to the speaker identity what it can tell (`nn.augmentation`): vtlp: all frequencies scaled by up
    to exp(+-vtlp). pitch_shift: those of the second spectrum, which tells of pitch, by up to
    exp(+-pitch_shift) more. equaliser: through an equaliser of this deviation in nats.
    """

    kind: Literal["logmel", "strided"] = "logmel"
    channels: int = within(1, 4096, 320)
    mels: int = within(8, 256, 80)
    low_bins: int = within(0, 128, 0)
    vtlp: float = within(0.0, 0.5, 0.0)
    pitch_shift: float = within(0.0, 0.5, 0.0)
    equaliser: float = within(0.0, 2.0, 0.0)
    fine_dilations: tuple[int, ...] = within(1, 1024, (1, 2, 4))
    coarse_dilations: tuple[int, ...] = within(1, 1024, (1, 2, 4))
    strides: tuple[int, ...] = within(2, 16, (2, 2, 2, 2, 2, 2))
    window: int = within(2, 64, 4)

    def __post_init__(self):
        super().__post_init__()
        self.require(
            self.pitch_shift == 0 or self.low_bins > 0,
            "pitch_shift scales the second spectrum: it needs low_bins above 0",
        )
        few = self.vtlp == 0 or self.mels <= MOST_WARPED_MELS
        self.require(few, f"mels = {self.mels} must be {MOST_WARPED_MELS} or less with vtlp")
        fits = all(self.window >= s and (self.window - s) % 2 == 0 for s in self.strides)
        if self.kind == "strided":
            plain = not (self.low_bins or self.vtlp or self.equaliser)
            self.require(plain, "low_bins, vtlp and equaliser are for kind = 'logmel'")
            self.require(
                bool(self.strides) and fits,
                "each stride needs a window of at least its size and of the same parity",
            )


@dataclass(frozen=True)
class QuantizerConfig(Table, table="quantizer"):
    """The codebook (van den Oord et al. 2017, section 3.2 and appendix A.1).

    codebooks: how many the frames take in turn (`nn.interleaving`); the paper has one. levels:
    codes of a frame, at most: those above the first say what is left (`nn.levels`).
    """

    codebook_size: int = within(2, 65536, 512)
    codebooks: int = within(1, 2, 1)
    dim: int = within(1, 4096, 64)
    update: Literal["ema", "gradient"] = "ema"
    ema_decay: float = within(0.0, 0.99999, 0.99)
    commitment: float = within(0.0, 100.0, 0.25)
    normalise: bool = True
    jitter: float = within(0.0, 0.9, 0.0)
    revive_below: float = within(0.0, 1.0, 0.02)
    levels: int = within(1, 8, 1)

    @property
    def entries(self) -> int:
        """Vectors in all codebooks of a level together."""
        return self.codebook_size * self.codebooks

    def rows(self, indices: Any, places: Any) -> Any:
        """Indices of frames at these places in their recordings to rows among all entries.

        Arrays or tensors of whole numbers, whose shapes fit each other; places count from 0.
        """
        return indices + places % self.codebooks * self.codebook_size


@dataclass(frozen=True)
class ConditioningConfig(Table, table="conditioning"):
    """Codes and speaker to the hidden frames that the WaveNet sees, and what is read from these.

    film: a speaker scales the inner activations too, instead of only shifting them. log_mel_head,
    pitch_head: whether log-mel, and F0 with voicing, are read from the hidden frames. phoneme_head:
    in training, phonemes are read from the codes alone, with a loss where the corpus has phonemes.
    dropout: in training, share of inner activations that are left out, here and where phonemes are
    read.
    """

    channels: int = within(1, 4096, 256)
    dilations: tuple[int, ...] = within(1, 1024, (1, 2, 4, 1))
    speaker_dim: int = within(1, 4096, 64)
    film: bool = False
    log_mel_head: bool = True
    pitch_head: bool = False
    phoneme_head: bool = False
    dropout: float = within(0.0, 0.9, 0.0)


@dataclass(frozen=True)
class SpeakerEncoderConfig(Table, table="speaker_encoder"):
    """A voice vector from some seconds of anybody's speech (`nn.speaker_encoder`).

    share: of the training crops in which its vector stands in the identity's place.
    reference_seconds: of the same speaker's speech that it then hears. invented: in half of these,
    in stages that train no decoder, the frequencies of both are scaled by up to exp(+-invented),
    and both go through an equaliser of a deviation of invented_equaliser nats, which makes another
    voice.
    """

    channels: int = within(1, 4096, 192)
    dilations: tuple[int, ...] = within(1, 1024, (1, 2, 4, 8))
    share: float = within(0.0, 1.0, 0.5)
    reference_seconds: float = within(0.1, 60.0, 3.0)
    invented: float = within(0.0, 0.5, 0.12)
    invented_equaliser: float = within(0.0, 2.0, 0.0)


@dataclass(frozen=True)
class DecoderConfig(Table, table="decoder"):
    """The autoregressive WaveNet over `bands` sub-bands; `bands = 1` is the full-band network.

    harmonics: of the fundamental, whose phase it is told at every step (`nn.excitation`); 0 for
    none.
    """

    bands: int = 4
    residual_channels: int = within(1, 1024, 64)
    skip_channels: int = within(1, 1024, 128)
    layers: int = within(1, 64, 16)
    cycle: int = within(1, 12, 8)
    temperature: float = within(0.0, 2.0, 1.0)
    harmonics: int = within(0, 64, 0)

    def __post_init__(self):
        super().__post_init__()
        self.require(self.bands in (1, 4), f"bands = {self.bands} must be 1 or 4")

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each layer: 1, 2, 4, ... over a cycle, then again."""
        return tuple(2 ** (layer % self.cycle) for layer in range(self.layers))

    @property
    def receptive_field(self) -> int:
        """Steps that an output may depend on, its own included."""
        return 1 + sum(self.dilations)


@dataclass(frozen=True)
class PostFilterConfig(Table, table="postfilter"):
    """How the WaveNet's samples get the envelope that the codes predict (`synthesis.postfilter`).

    Tuned to a model, on its `valid` split. peak_db, peak_level: bands predicted louder than
    peak_level (natural log) get so much more, as a log-mel learned by L1 is a median, with less
    power than speech. hush_db, hush_level: quieter ones, most of them in pauses, get so much less.
    onset_gain: what the prediction has more or less than its mean around it, it gets so many times
    once more: a prediction blurs what the codes leave open. sharpness: power of the WaveNet's
    magnitudes; above 1, valleys between harmonics get deeper. phase_rounds: Griffin and Lim's.
    """

    peak_db: float = within(0.0, 20.0, 1.0)
    peak_level: float = within(-20.0, 20.0, -3.5)
    hush_db: float = within(0.0, 20.0, 2.0)
    hush_level: float = within(-20.0, 20.0, -7.5)
    onset_gain: float = within(0.0, 5.0, 0.3)
    sharpness: float = within(0.1, 10.0, 1.5)
    phase_rounds: int = within(0, 100, 8)


@dataclass(frozen=True)
class ConversionConfig(Table, table="conversion"):
    """How a recording becomes another voice's, where nobody says otherwise.

    guidance: how much further than the speaker's identity alone the sound is moved away from the
    average voice's (`nn.guidance`): the more of the source's voice a model's codes carry, the more
    it wants. Tuned to a model, on training speech (recipes/base/conversion.py).
    """

    guidance: float = within(0.0, MOST_GUIDANCE, 0.5)


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
            "levels above 1 need jitter = 0: they say what the codes of their own frame leave",
        )
        self.decoder.require(
            self.conditioning.pitch_head or not self.decoder.harmonics,
            "harmonics need conditioning.pitch_head = true: their phase runs on from its F0",
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
