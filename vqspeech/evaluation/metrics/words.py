"""Words: what an offline recogniser (pocketsphinx, US English) hears in a signal.

It hears far less than a person, so only compare figures of this recogniser on the same files.
"""

import functools
import re

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.evaluation.extras import require

_CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"
_SPOKEN = {"mr": "mister", "mrs": "missus", "ms": "miss", "dr": "doctor", "st": "saint"}
"""Abbreviations that the recogniser's dictionary writes and transcripts spell out."""


def normalise(text: str) -> list[str]:
    """Lower-case words of `text`: letters and inner apostrophes, abbreviations spelt out."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.lower().replace(_CURLY, "'"))
    return [_SPOKEN.get(word) or word for word in words]


@functools.cache
def _recogniser():
    decoder = require("pocketsphinx").Decoder
    return decoder(samprate=SAMPLE_RATE, cmn="batch", loglevel="FATAL")


def recognise(x: np.ndarray) -> list[str]:
    """The words heard in `x` (float32 [T] at 16 kHz). Raises InputError without pocketsphinx."""
    recogniser = _recogniser()
    if not is_scorable(x):
        return []
    # Cepstral means carry over from one utterance to the next: without this, words depend on order.
    recogniser.reinit_feat()
    recogniser.start_utt()
    pcm = (np.clip(x, -1.0, 1.0) * 32767).astype("<i2").tobytes()
    recogniser.process_raw(pcm, full_utt=True)
    recogniser.end_utt()
    heard = recogniser.hyp()
    return normalise(heard.hypstr) if heard else []


def align(reference: list[str], heard: list[str]) -> tuple[int, int]:
    """(hits, errors) of the word alignment with fewest errors, and among those most hits.

    errors = substitutions + deletions + insertions (Levenshtein).
    """
    row = [(errors, 0) for errors in range(len(heard) + 1)]  # (errors, -hits)
    for i, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], (i, 0)
        for j, other in enumerate(heard, 1):
            same = word == other
            options = (
                (diagonal[0] + (not same), diagonal[1] - same),
                (row[j][0] + 1, row[j][1]),
                (row[j - 1][0] + 1, row[j - 1][1]),
            )
            diagonal, row[j] = row[j], min(options)
    errors, hits = row[-1]
    return -hits, errors


def words_right(reference: list[str], heard: list[str]) -> float:
    """% of the words of `reference` that were heard (hits / words; inserted words cost nothing).

    NaN if the reference has no words.
    """
    return 100 * align(reference, heard)[0] / len(reference) if reference else float("nan")


def word_error(reference: list[str], heard: list[str]) -> float:
    """Word error rate in %: (substitutions + deletions + insertions) / words; can pass 100.

    NaN if the reference has no words.
    """
    return 100 * align(reference, heard)[1] / len(reference) if reference else float("nan")


def word_scores(
    transcript: str | None, original: list[str], heard: list[str], prefix: str = ""
) -> dict[str, float]:
    """What was `heard` in a decoding against its transcript and what was heard in the original:
    `words_right`, `word_error`, `words_kept`, and `words` and `kept`, which they weigh by.

    prefix: of all names but `words`, for another recogniser than pocketsphinx.
    """
    said = normalise(transcript or "")
    found: dict[str, float] = {
        "words_right": words_right(said, heard),
        "word_error": word_error(said, heard),
        "words_kept": words_right(original, heard),
        "kept": len(original),
    }
    return {"words": len(said)} | {prefix + name: value for name, value in found.items()}
