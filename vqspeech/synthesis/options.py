"""How speech is made: options that travel together, each group one object that checks itself."""

import math
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from vqspeech.codes.codes import Codes
from vqspeech.errors import InputError
from vqspeech.sampling.backend import WEIGHTS

HIGHEST_TEMPERATURE = 2.0
GUIDANCE, MOST_GUIDANCE = 0.5, 2.0
LARGEST_SEMITONES = 14.0
"""Pitch is moved no further: a low man to a high woman."""
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Synthesis:
    """How codes become sound.

    seed: of the random numbers; the same gives the same. temperature: of the WaveNet's sampling, 0
    to 2; None for the model's own. preview: Griffin-Lim from the auxiliary log-mel instead of the
    WaveNet. weights: the WaveNet's: "int8", "float32", or "auto" for the former on a CPU and the
    latter on a GPU. postfilter: give what the WaveNet says the spectral envelope that the codes
    predict, where the model predicts one. Raises InputError.
    """

    seed: int = 0
    temperature: float | None = None
    preview: bool = False
    weights: str = WEIGHTS[0]
    postfilter: bool = True

    def __post_init__(self):
        check_seed(self.seed)
        if self.temperature is not None:
            check_temperature(self.temperature)
        if self.weights not in WEIGHTS:
            raise InputError(f"weights '{self.weights}' must be one of {', '.join(WEIGHTS)}")


@dataclass(frozen=True)
class Conversion(Synthesis):
    """How a recording becomes another voice's.

    pitch: "target" moves it to the speaker's where both are known, "keep" leaves it, a number
    moves it by semitones; before encoding, as codes carry pitch. guidance: how much further than
    the speaker's identity alone the sound is moved away from the average voice's, 0 to 2, of a
    model that predicts a log-mel (`nn.guidance`). The rest as in `Synthesis`.
    """

    pitch: str | float = "target"
    guidance: float = GUIDANCE

    def __post_init__(self):
        super().__post_init__()
        pitch = 0.0 if self.pitch in ("target", "keep") else self.pitch
        if isinstance(pitch, str) or not abs(pitch) <= LARGEST_SEMITONES:  # nor NaN
            raise InputError(
                f"pitch {self.pitch!r} must be target, keep, or semitones within "
                f"+-{LARGEST_SEMITONES:g}"
            )
        if not 0 <= self.guidance <= MOST_GUIDANCE:  # nor NaN
            raise InputError(f"guidance {self.guidance} must lie in 0..{MOST_GUIDANCE:g}")


@dataclass(frozen=True)
class Generation:
    """How the prior draws codes.

    temperature: below 1 likelier codes, 0 the likeliest. top_p: only the likeliest codes that
    reach this probability together. prompt: codes of a recording to go on from; the result begins
    with them. The same options give the same codes on every machine. Raises InputError.
    """

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    prompt: Codes | None = None

    def __post_init__(self):
        check_seed(self.seed)
        check_temperature(self.temperature)
        if not 0 < self.top_p <= 1:  # nor NaN
            raise InputError(f"top_p {self.top_p} must be above 0 and at most 1")


@dataclass(frozen=True)
class Change:
    """What a conversion adds to what the codes say.

    semitones: by which the WaveNet's pitch is moved, where the model predicts pitch. guidance: as
    in `Conversion`.
    """

    semitones: float = 0.0
    guidance: float = 0.0


NO_CHANGE = Change()
Options = TypeVar("Options", Synthesis, Conversion, Generation)


def chosen(kind: type[Options], options: Options | None, changes: dict) -> Options:
    """`options` (None: the usual ones of their kind) with `changes` by name. Raises InputError."""
    names = [field.name for field in fields(kind)]
    if unknown := [name for name in changes if name not in names]:
        raise InputError(f"no option {unknown[0]} here: there are {', '.join(names)}")
    return replace(options or kind(), **changes)


def check_seed(seed: int) -> None:
    """Raise InputError unless `seed` is a whole number that random numbers can begin with."""
    if not 0 <= seed <= LARGEST_SEED or seed != int(seed):
        raise InputError(f"seed {seed} must be a whole number, and not negative")


def check_temperature(temperature: float) -> None:
    """Raise InputError unless samples can be drawn at `temperature`."""
    if not 0 <= temperature <= HIGHEST_TEMPERATURE or math.isnan(temperature):
        raise InputError(f"temperature {temperature} must lie in 0..{HIGHEST_TEMPERATURE:g}")
