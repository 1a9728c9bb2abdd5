"""What Whisper hears in a signal: a recogniser that hears nearly what people do.

faster-whisper (CTranslate2) with a model in its format. Greedy, at temperature 0 and at no other,
in 8-bit integers on the processor, each recording by itself: the same signal gives the same words.
"""

import functools
import math
import os

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.errors import InputError
from vqspeech.evaluation.extras import require
from vqspeech.evaluation.metrics.words import normalise

WEIGHTS = "model.bin"
DEFAULT = "base"
"""What is asked of the hub where no folder is given."""
WINDOW_SECONDS = 30.0
"""That Whisper hears at once."""
TOKENS_PER_SECOND, TOKENS = 10, 16
"""More than anybody says: of fast speech, of five words a second, some seven; and for the shortest
recordings."""


def find(name: str) -> str:
    """The folder of a model by a folder or by a name on the hub, which is downloaded once.

    Raises InputError if there is none, or without faster-whisper.
    """
    if os.path.isdir(name):
        if not os.path.isfile(os.path.join(name, WEIGHTS)):
            raise InputError(
                f"{name}: holds no Whisper model in CTranslate2's format ({WEIGHTS}); give a "
                "folder that does, or a name such as base"
            )
        return name
    download = require("faster_whisper").download_model
    try:
        return download(name)
    except Exception as error:  # the hub's client has many kinds, all of them about this name
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name}: no such folder, and no Whisper model of the hub ({reason}); give the folder "
            "of one in CTranslate2's format"
        ) from None


@functools.cache
def _model(folder: str):
    whisper = require("faster_whisper").WhisperModel
    try:
        return whisper(folder, device="cpu", compute_type="int8", cpu_threads=1)
    except Exception as error:  # of weights and tokenizer, in many kinds, `Exception` itself too
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{folder}: cannot be loaded as a Whisper model ({reason}); get it again"
        ) from None


def check(folder: str) -> None:
    """Raise InputError unless the model in `folder` can be loaded."""
    _model(folder)


def _most_tokens(samples: int) -> int:
    """That Whisper may write about a window of so many samples: it repeats itself without an end
    where it hears no words, which takes as long as minutes of speech."""
    seconds = min(samples / SAMPLE_RATE, WINDOW_SECONDS)
    return TOKENS + math.ceil(TOKENS_PER_SECOND * seconds)


def recognise(x: np.ndarray, folder: str) -> list[str]:
    """The words heard in `x` (float32 [T] at 16 kHz) by the model in `folder`. Raises InputError.

    What is too short or too quiet to be scored is not asked about: Whisper makes up words there.
    """
    if not is_scorable(x):
        return []
    segments, _ = _model(folder).transcribe(
        np.asarray(x, np.float32),
        language="en",
        beam_size=1,
        temperature=0.0,
        condition_on_previous_text=False,
        without_timestamps=True,
        max_new_tokens=_most_tokens(len(x)),
    )
    return normalise(" ".join(segment.text for segment in segments))
