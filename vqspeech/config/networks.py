"""The networks that a model is made of: a table of its configuration each."""

from dataclasses import dataclass
from typing import Any, Literal

from vqspeech.config.tables import Table, within

MOST_MELS = 192
"""With more, some mel bands have no FFT bin."""
MOST_WARPED_MELS = 128
"""With more, some low mel bands share their FFT bins, and nothing lies between them."""


@dataclass(frozen=True)
class EncoderConfig(Table, table="encoder"):
    """Waveform to z_e.

    `kind = "logmel"`: a log-mel filter bank, residual blocks at 100 Hz, a stride, blocks at 50 Hz.
    `kind = "strided"`: the paper's raw convolutions, `window` wide with stride `stride`, one a
    downsampling, followed by residual blocks at the code rate. deviation: of the samples, which it
    divides them by; 0.05 for speech at the nominal level.

    low_bins: of a log-mel encoder, bins of a second spectrum beside the mel bands, with a window
    long enough to part the harmonics of a low voice; 0 for none.

    How a log-mel encoder hears a recording in training, while the target stays, so that codes leave
    to the speaker identity what it can tell (`nn.augmentation`): vtlp: all frequencies scaled by up
    to exp(+-vtlp). pitch_shift: those of the second spectrum, which tells of pitch, by up to
    exp(+-pitch_shift) more. equaliser: through an equaliser of this deviation in nats.
    """

    kind: Literal["logmel", "strided"] = "logmel"
    channels: int = within(1, 4096, 320)
    mels: int = within(8, MOST_MELS, 80)
    low_bins: int = within(0, 128, 0)
    vtlp: float = within(0.0, 0.5, 0.0)
    pitch_shift: float = within(0.0, 0.5, 0.0)
    equaliser: float = within(0.0, 2.0, 0.0)
    fine_dilations: tuple[int, ...] = within(1, 1024, (1, 2, 4))
    coarse_dilations: tuple[int, ...] = within(1, 1024, (1, 2, 4))
    strides: tuple[int, ...] = within(2, 16, (2, 2, 2, 2, 2, 2))
    window: int = within(2, 64, 4)
    deviation: float = within(1e-4, 1.0, 1.0)

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
        else:
            self.require(self.deviation == 1, "deviation is for kind = 'strided'")


@dataclass(frozen=True)
class QuantizerConfig(Table, table="quantizer"):
    """The codebook (van den Oord et al. 2017, section 3.2 and appendix A.1).

    codebooks: how many the frames take in turn (`nn.interleaving`); the paper has one. levels:
    codes of a frame, at most: those above the first, of upper_dim values, say what it does not let
    expect of the log-mel (`nn.levels`).
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
    upper_dim: int = within(1, 4096, 48)

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
    none. pulses: training tells it the phase of the voice's pulses instead (`nn.pulses`). scaled:
    what is drawn is scaled by the deviation that the predicted log-mel gives it. prediction: order
    of the linear prediction in each band whose residual is drawn (`nn.prediction`); 0 for none.
    own_envelope: in training both go by the recording's own log-mel, so that no envelope is left to
    what is drawn. long_term: gain of the long-term prediction in the lowest band
    (`nn.long_term`); 0 for none. voiced_temperatures: of each band, from the lowest up, in voiced
    frames, over `temperature`; none: 1. conditioning_gain: what its hidden frames are multiplied by
    where it draws: above 1 its gates let through less of its own past, whose errors it has not met
    in training.
    """

    bands: int = 4
    residual_channels: int = within(1, 1024, 64)
    skip_channels: int = within(1, 1024, 128)
    layers: int = within(1, 64, 16)
    cycle: int = within(1, 12, 8)
    temperature: float = within(0.0, 2.0, 1.0)
    voiced_temperatures: tuple[float, ...] = within(0.0, 2.0, ())
    conditioning_gain: float = within(0.0, 4.0, 1.0)
    harmonics: int = within(0, 64, 0)
    pulses: bool = False
    scaled: bool = False
    prediction: int = within(0, 32, 0)
    own_envelope: bool = False
    long_term: float = within(0.0, 0.98, 0.0)

    def __post_init__(self):
        super().__post_init__()
        self.require(self.bands in (1, 4), f"bands = {self.bands} must be 1 or 4")
        given = len(self.voiced_temperatures)
        fits = given in (0, self.bands)
        self.require(fits, f"voiced_temperatures has {given} numbers for {self.bands} bands")
        fits = self.harmonics > 0 or not self.pulses
        self.require(fits, "pulses = true needs harmonics above 0, by which they are told")
        fits = self.scaled or not self.prediction
        self.require(fits, f"prediction = {self.prediction} needs scaled = true")
        fits = self.scaled or not self.own_envelope
        self.require(fits, "own_envelope = true needs scaled = true")
        fits = self.prediction > 0 or not self.long_term
        self.require(fits, f"long_term = {self.long_term} needs prediction above 0")

    @property
    def input_rows(self) -> int:
        """Samples that a step hears: of each band what was drawn last and, of a residual, what is
        known of the sample itself, its prediction and the last one."""
        return self.bands * (3 if self.scaled else 1)

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each layer: 1, 2, 4, ... over a cycle, then again."""
        return tuple(2 ** (layer % self.cycle) for layer in range(self.layers))

    @property
    def receptive_field(self) -> int:
        """Steps that an output may depend on, its own included."""
        return 1 + sum(self.dilations)
