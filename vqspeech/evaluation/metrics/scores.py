"""All metrics on a (reference, decoded) pair of float32 signals [T] at 16 kHz.

The decoded signal is first matched in delay, length and level (`signals.match`). A figure that is
not defined (silence, too short, no transcript, no voiced frames) is NaN, never an exception and
never an arbitrary number; averages skip it and say so.
"""

import functools
from collections.abc import Sequence

import numpy as np

from vqspeech.audio import pitch
from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.evaluation.metrics import f0, networks, words
from vqspeech.evaluation.metrics.estoi import estoi
from vqspeech.evaluation.metrics.mel import mel_distance
from vqspeech.evaluation.metrics.pesq import pesq_wb
from vqspeech.evaluation.metrics.recognisers import Recogniser
from vqspeech.evaluation.metrics.signals import match
from vqspeech.evaluation.metrics.table import GROUPS, METRICS, NAN
from vqspeech.evaluation.metrics.visqol import visqol


class Signal:
    """A signal [T] at 16 kHz and what is expensive to know of it, computed once."""

    def __init__(self, samples: np.ndarray):
        self.samples = np.asarray(samples, np.float32)
        self._heard: dict[Recogniser, list[str]] = {}

    @functools.cached_property
    def pitch(self) -> pitch.PitchTrack:
        return pitch.track(self.samples)

    def heard(self, recogniser: Recogniser) -> list[str]:
        if recogniser not in self._heard:
            self._heard[recogniser] = recogniser.hear(self.samples)
        return self._heard[recogniser]

    @functools.cached_property
    def voice(self) -> np.ndarray | None:
        return networks.voice_embedding(self.samples)


POCKETSPHINX = (Recogniser(),)


def word_scores(
    reference: Signal,
    decoded: Signal,
    transcript: str | None,
    recognisers: Sequence[Recogniser] = POCKETSPHINX,
) -> dict[str, float]:
    """What each recogniser hears in both, and what was said: `words.word_scores` of all of them."""
    found = {}
    for one in recognisers:
        heard = (reference.heard(one), decoded.heard(one))
        found |= words.word_scores(transcript, *heard, one.prefix)
    return found


def score(
    reference: np.ndarray | Signal,
    decoded: np.ndarray | None,
    transcript: str | None = None,
    groups: tuple[str, ...] = GROUPS,
    recognisers: Sequence[Recogniser] = POCKETSPHINX,
) -> dict[str, float]:
    """All metrics of `groups` for one utterance: a dict of metric name to value (NaN: undefined).

    Args:
        reference: the original, float32 [T] at 16 kHz (a `Signal` keeps its analysis for reuse).
        decoded: the codec's output at 16 kHz, any length, delay or level; None scores the original
            against itself.
        transcript: what was said, for `words_right` and `word_error`.
        groups: which of GROUPS to compute.
        recognisers: who hears the words; the rows of others are not computed.

    The dict also holds `delay_ms`, removed from the decoded signal, and the word counts that
    averages are weighted by. Raises InputError if a package of the `eval` extra is missing.
    """
    if not isinstance(reference, Signal):
        reference = Signal(reference)
    delay = 0
    if decoded is None:
        matched = reference
    else:
        samples, delay = match(reference.samples, np.asarray(decoded, np.float32))
        matched = Signal(samples)
    a, b = reference.samples, matched.samples
    scorers = {
        "dnsmos": lambda: networks.dnsmos(b),
        "words": lambda: word_scores(reference, matched, transcript, recognisers),
        "speaker": lambda: {
            "speaker_similarity": networks.speaker_similarity(reference.voice, matched.voice)
        },
        "f0": lambda: f0.compare(reference.pitch, matched.pitch),
        "mel": lambda: {"mel_distance": mel_distance(a, b)},
        "estoi": lambda: {"estoi": estoi(a, b)},
        "pesq": lambda: {"pesq": pesq_wb(a, b)},
        "visqol": lambda: {"visqol": visqol(a, b)},
    }
    scores = {"delay_ms": 1000 * delay / SAMPLE_RATE}
    if not is_scorable(a):
        return scores | {metric.name: NAN for metric in METRICS if metric.group in groups}
    for group in groups:
        scores |= scorers[group]()
    return scores
