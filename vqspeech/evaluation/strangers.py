"""Voices that a model never heard, to convert to: whom, and what it hears of them."""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.corpus import Utterance
from vqspeech.evaluation.converted import REFERENCE_SECONDS, Target, known_by, real_speech
from vqspeech.evaluation.protocol import Codec

HEARD_SECONDS = 5.0
"""Of real speech of a voice, which the model makes it of."""
LEAST_SECONDS = 1.6
"""Of other speech that is enough to compare with: a window of the metric's network."""
STRANGERS = 12
TRAINING = "train"
"""What the names of splits begin with that models are trained on, by both recipes: voices in these
may be no strangers though they have no name in the model."""


def choose_strangers(
    voices: Sequence[Utterance], known: Collection[str], count: int = STRANGERS, seed: int = 0
) -> list[str]:
    """Up to `count` speakers of `voices` that are not `known` and were not trained on, by name.

    Drawn by `seed`, not by result: women, men, and voices of which that is not known, in turn.
    """
    trained = {one.speaker for one in voices if one.split.startswith(TRAINING)}
    genders = {one.speaker: one.gender for one in voices}
    rng, drawn = np.random.default_rng(seed), []
    for gender in ("f", "m", ""):
        names = sorted(
            name for name in set(genders) - set(known) - trained if genders[name] == gender
        )
        drawn.append(rng.permutation(names).tolist())
    in_turn = [name for name in chain(*zip_longest(*drawn)) if name is not None]
    return sorted(in_turn[:count])


def meet(codec: Codec, name: str, paths: Iterable[Path], groups: Collection[str]) -> Target | None:
    """A target that the model is made to hear HEARD_SECONDS of; None without speech.

    It is judged by what follows these, where there is some. groups: metrics asked for. Raises
    InputError if a package is missing.
    """
    wave = real_speech(paths, HEARD_SECONDS + REFERENCE_SECONDS)
    cut = round(HEARD_SECONDS * SAMPLE_RATE)
    heard, rest = wave[:cut], wave[cut:]
    if not is_scorable(heard):
        return None
    other = rest if len(rest) >= LEAST_SECONDS * SAMPLE_RATE else heard
    voice = codec.voice_of(heard, name=name)
    return known_by(name, other, groups)._replace(voice=voice)
