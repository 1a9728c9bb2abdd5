"""How speech is made: options that travel together, each group one object that checks itself."""

import secrets
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from vqspeech.arguments import real, shown, switch, whole
from vqspeech.codes.codes import MAX_BITRATE
from vqspeech.config.rendering import MOST_GUIDANCE
from vqspeech.errors import InputError
from vqspeech.sampling.backend import WEIGHTS

HIGHEST_TEMPERATURE = 2.0
LARGEST_SEMITONES = 14.0
"""Pitch is moved no further: a low man to a high woman."""
LARGEST_SEED = 2**63 - 1
REFINED = "refined"
Listening = bool | str
"""Whether a recording that is encoded is listened to for whose voice it is: no, yes, or REFINED,
better and in more time (`synthesis.refining`)."""


def check_listening(voice: Listening) -> Listening:
    """`voice`, if it is one of these. Raises InputError."""
    if isinstance(voice, str) and voice != REFINED:
        raise InputError(f"voice {shown(voice)} must be True, False or {REFINED!r}")
    return voice if isinstance(voice, str) else switch("voice", voice)


@dataclass(frozen=True)
class Synthesis:
    """How codes become sound.

    seed: of the random numbers; the same gives the same, None draws one, which is `seed` then.
    temperature: of the WaveNet's sampling, 0 to 2; None for the model's own. preview: Griffin-Lim
    from the auxiliary log-mel instead of the WaveNet. weights: the WaveNet's: "int8", "float32", or
    "auto" for the former on a CPU and the latter on a GPU. postfilter: give what the WaveNet says
    the spectral envelope that the codes predict, where the model predicts one. Raises InputError.
    """

    seed: int = 0
    temperature: float | None = None
    preview: bool = False
    weights: str = WEIGHTS[0]
    postfilter: bool = True

    def __post_init__(self):
        temperature = self.temperature
        if temperature is not None:
            temperature = checked_temperature(temperature)
        if not isinstance(self.weights, str) or self.weights not in WEIGHTS:
            raise InputError(f"weights {shown(self.weights)} must be one of {', '.join(WEIGHTS)}")
        switches = {name: switch(name, getattr(self, name)) for name in ("preview", "postfilter")}
        _put(self, seed=checked_seed(self.seed), temperature=temperature, **switches)


@dataclass(frozen=True)
class Conversion(Synthesis):
    """How a recording becomes another voice's.

    pitch: "target" moves it to the speaker's where both are known, "keep" leaves it, a number
    moves it by semitones; before encoding, as codes carry pitch. guidance: how much further than
    the speaker's identity alone the sound is moved away from the average voice's, 0 to 2, of a
    model that predicts a log-mel (`nn.guidance`); None for the model's own. bitrate: of the codes
    that the recording goes through, one that the model has; None: the lowest, which keeps least of
    the source's voice. search: for these codes, as in `Codec.encode`. The rest as in `Synthesis`.
    """

    pitch: str | float = "target"
    guidance: float | None = None
    bitrate: float | None = None
    search: bool = False

    def __post_init__(self):
        super().__post_init__()
        _put(self, search=switch("search", self.search))
        if isinstance(pitch := self.pitch, str):
            if pitch not in ("target", "keep"):
                raise InputError(
                    f"pitch {shown(pitch)} must be target, keep, or semitones within "
                    f"+-{LARGEST_SEMITONES:g}"
                )
        else:
            pitch = real(
                "pitch (target, keep, or semitones)", pitch, -LARGEST_SEMITONES, LARGEST_SEMITONES
            )
        _put(self, pitch=pitch)
        if self.guidance is not None:
            _put(self, guidance=real("guidance", self.guidance, 0, MOST_GUIDANCE))
        if self.bitrate is not None:
            _put(self, bitrate=real("bitrate", self.bitrate, 0, MAX_BITRATE))


@dataclass(frozen=True)
class Generation:
    """How the prior draws codes.

    seed: as in `Synthesis`. temperature: below 1 likelier codes, 0 the likeliest. top_p: only the
    likeliest codes that reach this probability together. prompt: codes of a recording to go on
    from, as `Codec.decode` takes them; the result begins with their first level, the one that a
    prior knows. The same options give the same codes on every machine. Raises InputError.
    """

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    prompt: Any = None

    def __post_init__(self):
        temperature, top_p = (
            checked_temperature(self.temperature),
            real("top_p", self.top_p, 0, 1, True),
        )
        _put(self, seed=checked_seed(self.seed), temperature=temperature, top_p=top_p)


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
    if options is not None and not isinstance(options, kind):
        raise InputError(
            f"options {shown(options)} must be a {kind.__name__}; or give them by name: "
            f"{', '.join(names)}"
        )
    return replace(options or kind(), **changes)


def checked_seed(seed: Any) -> int:
    """A seed that random numbers can begin with; one at random for None. Raises InputError."""
    return secrets.randbelow(LARGEST_SEED) if seed is None else whole("seed", seed, 0, LARGEST_SEED)


def checked_temperature(temperature: Any) -> float:
    """A temperature that samples can be drawn at. Raises InputError."""
    return real("temperature", temperature, 0, HIGHEST_TEMPERATURE)


def _put(options: Any, **values: Any) -> None:
    """Values, as they are after their checks, into a frozen dataclass that is being made."""
    for name, value in values.items():
        object.__setattr__(options, name, value)
