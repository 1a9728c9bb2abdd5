"""Who hears the words: pocketsphinx, Whisper, or both, each with rows of its own.

Figures of two recognisers cannot be compared. One that taught a model its codes (a teacher of
Whisper's family) is no neutral judge of them: look at the other too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vqspeech.errors import InputError
from vqspeech.evaluation import extras
from vqspeech.evaluation.metrics import whisper, words
from vqspeech.evaluation.metrics.table import WHISPER

POCKETSPHINX, FASTER_WHISPER = "pocketsphinx", "faster_whisper"
RECOGNISERS = (POCKETSPHINX, "whisper")


@dataclass(frozen=True)
class Recogniser:
    """One of RECOGNISERS. Raises InputError for another name.

    weights: folder of Whisper's model (`whisper.find`).
    """

    name: str = POCKETSPHINX
    weights: str = ""

    def __post_init__(self):
        if self.name not in RECOGNISERS:
            raise InputError(f"no recogniser '{self.name}'; choose from {', '.join(RECOGNISERS)}")

    @property
    def prefix(self) -> str:
        """What its figures' names begin with."""
        return "" if self.name == POCKETSPHINX else WHISPER

    def check(self) -> None:
        """Raise InputError now, before hours of work, if it cannot hear anything here."""
        if self.name == POCKETSPHINX:
            extras.check([POCKETSPHINX])
        else:
            extras.check([FASTER_WHISPER])
            whisper.check(self.weights)

    def hear(self, x: np.ndarray) -> list[str]:
        """The words in `x` (float32 [T] at 16 kHz). Raises InputError."""
        if self.name == POCKETSPHINX:
            return words.recognise(x)
        return whisper.recognise(x, self.weights)


def choose(
    names: Sequence[str] | None = None, weights: str | None = None
) -> tuple[tuple[Recogniser, ...], str | None]:
    """(recognisers by their names, a line on what is otherwise than asked, or None).

    names: None for pocketsphinx, and for both where `weights` are given. weights: folder or
    hub name of Whisper's model. Where faster-whisper is not installed, pocketsphinx hears in its
    place. Raises InputError.
    """
    if names is None:
        names = (POCKETSPHINX,) if weights is None else RECOGNISERS
    if not names or len(set(names)) < len(names):
        raise InputError(f"name at least one recogniser, each once, of {', '.join(RECOGNISERS)}")
    if weights is not None and "whisper" not in names:
        raise InputError("--whisper is the model of --recogniser whisper; name that too")
    found, note = [], None
    for name in names:
        if name == "whisper" and not extras.installed(FASTER_WHISPER):
            note = (
                "faster-whisper is not installed (pip install 'vqspeech[eval]'): "
                "pocketsphinx hears the words in Whisper's place"
            )
            found.append(Recogniser())
        elif name == "whisper":
            found.append(Recogniser(name, whisper.find(weights or whisper.DEFAULT)))
        else:
            found.append(Recogniser(name))
    return tuple(dict.fromkeys(found)), note
