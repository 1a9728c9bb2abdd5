"""Metrics on a (reference, decoded) pair of float32 signals [T] at 16 kHz, and their table.

`score` gives all of them for one pair. The decoded signal is first matched in delay, length and
level (`signals.match`). A figure that is not defined (silence, too short, no transcript, no voiced
frames) is NaN, never an exception and never an arbitrary number; averages skip it and say so.
"""

import functools
import warnings
from dataclasses import dataclass

import numpy as np

from vqspeech.audio import pitch
from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.evaluation.extras import require
from vqspeech.evaluation.metrics import f0, networks, words
from vqspeech.evaluation.metrics.signals import match
from vqspeech.evaluation.metrics.visqol import visqol

NAN = float("nan")

MEL_BANDS = 80
MEL_FLOOR_DB = 70.0
"""Mel powers this far below the loudest of the reference count as equal."""

_PESQ_SECONDS = 15.0


@dataclass(frozen=True)
class Metric:
    """One line of the report. `weight` names the per-file count that averages are weighted by."""

    name: str
    label: str
    group: str
    digits: int = 2
    higher_is_better: bool = True
    weight: str | None = None


METRICS = (
    Metric("dnsmos_ovrl", "DNSMOS OVRL", "dnsmos"),
    Metric("dnsmos_sig", "DNSMOS SIG", "dnsmos"),
    Metric("dnsmos_bak", "DNSMOS BAK", "dnsmos"),
    Metric("words_right", "words right, % of the transcript", "words", 1, weight="words"),
    Metric("word_error", "word error rate, %", "words", 1, False, "words"),
    Metric("words_kept", "words right, % of those heard in the original", "words", 1, True, "kept"),
    Metric("speaker_similarity", "speaker similarity", "speaker"),
    Metric("f0_correlation", "F0 correlation", "f0"),
    Metric("voicing_agreement", "voicing agreement, %", "f0", 1),
    Metric("mel_distance", "log-mel distance, dB", "mel", 2, False),
    Metric("estoi", "ESTOI", "estoi"),
    Metric("pesq", "PESQ-WB", "pesq"),
    Metric("visqol", "ViSQOL", "visqol"),
)

CONVERSION_METRICS = (
    Metric("target_similarity", "speaker similarity to the target", "speaker"),
    Metric("source_similarity", "speaker similarity to the source", "speaker", 2, False),
    Metric("closer_to_target", "nearer to the target than to the source, %", "speaker", 0),
    Metric("f0_off", "median F0 off the target's, semitones", "f0", 1, False),
    Metric("f0_within", "median F0 within 2 semitones of the target's, %", "f0", 0),
    *(metric for metric in METRICS if metric.group in ("dnsmos", "words")),
)
"""Of a conversion, which has no original to be compared with sample by sample."""

GROUPS = tuple(dict.fromkeys(metric.group for metric in METRICS))

MODULES = {
    "dnsmos": ("onnxruntime", "speechmos"),
    "words": ("pocketsphinx",),
    "speaker": ("resemblyzer", "webrtcvad"),
    "f0": (),
    "mel": (),
    "estoi": ("pystoi",),
    "pesq": ("pesq",),
    "visqol": ("ai_edge_litert", "visqol"),
}
"""What each group imports beyond the package's own requirements."""


class Signal:
    """A signal [T] at 16 kHz and what is expensive to know of it, computed once."""

    def __init__(self, samples: np.ndarray):
        self.samples = np.asarray(samples, np.float32)

    @functools.cached_property
    def pitch(self) -> pitch.PitchTrack:
        return pitch.track(self.samples)

    @functools.cached_property
    def heard(self) -> list[str]:
        return words.recognise(self.samples)

    @functools.cached_property
    def voice(self) -> np.ndarray | None:
        return networks.voice_embedding(self.samples)


def estoi(reference: np.ndarray, decoded: np.ndarray) -> float:
    """Extended short-time objective intelligibility (Jensen & Taal 2016), about 0 to 1; pystoi.

    Blind to level. NaN under about 0.4 s of speech (pystoi answers 1e-5 there).
    """
    stoi = require("pystoi").stoi
    if not (is_scorable(reference) and len(decoded) == len(reference)):
        return NAN
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            value = float(stoi(reference, decoded, SAMPLE_RATE, extended=True))
        except RuntimeWarning:  # not enough frames left once silent ones are removed
            return NAN
    return value if np.isfinite(value) else NAN


def pesq_wb(reference: np.ndarray, decoded: np.ndarray) -> float:
    """PESQ wide band (ITU-T P.862.2), 1.0 to 4.64; NaN for silence or where it finds no utterance.

    Mean over equal pieces of at most 15 s, as P.862 is meant for, and since the C code overruns its
    tables (and kills the process) beyond 50 utterances.
    """
    pesq = require("pesq")
    count = max(1, int(np.ceil(len(reference) / (_PESQ_SECONDS * SAMPLE_RATE))))
    found = []
    pairs = zip(np.array_split(reference, count), np.array_split(decoded, count), strict=True)
    for a, b in pairs:
        if not (is_scorable(a) and is_scorable(b)):
            continue
        try:
            found.append(float(pesq.pesq(SAMPLE_RATE, a, b, "wb")))
        except (pesq.PesqError, ValueError):  # ValueError: a NaN inside, from an empty utterance
            continue
    return float(np.mean(found)) if found else NAN


def _mel_power(x: np.ndarray) -> np.ndarray:
    import librosa

    return librosa.feature.melspectrogram(
        y=x, sr=SAMPLE_RATE, n_fft=512, win_length=400, hop_length=160, n_mels=MEL_BANDS
    )


def mel_distance(reference: np.ndarray, decoded: np.ndarray) -> float:
    """Log-mel distance in dB: RMS over 80 mel bands of the difference, averaged over frames.

    Power mel spectrograms (0 to 8 kHz, 25 ms Hann windows every 10 ms, Slaney bands), floored
    70 dB below the loudest value of the reference. Depends on level: match it first. NaN if the
    reference is silence or the decoded is not finite.
    """
    if not (is_scorable(reference) and np.isfinite(decoded).all()):
        return NAN
    a, b = _mel_power(reference), _mel_power(decoded)
    floor = a.max() * 10 ** (-MEL_FLOOR_DB / 10)
    difference = 10 * np.log10(np.maximum(a, floor) / np.maximum(b, floor))
    return float(np.sqrt(np.square(difference).mean(axis=0)).mean())


def word_scores(reference: Signal, decoded: Signal, transcript: str | None) -> dict[str, float]:
    """`words_right`, `word_error`, `words_kept`, and `words` and `kept`, which they weigh by."""
    said = words.normalise(transcript or "")
    return {
        "words_right": words.words_right(said, decoded.heard),
        "word_error": words.word_error(said, decoded.heard),
        "words_kept": words.words_right(reference.heard, decoded.heard),
        "words": len(said),
        "kept": len(reference.heard),
    }


def score(
    reference: np.ndarray | Signal,
    decoded: np.ndarray | None,
    transcript: str | None = None,
    groups: tuple[str, ...] = GROUPS,
) -> dict[str, float]:
    """All metrics of `groups` for one utterance: a dict of metric name to value (NaN: undefined).

    Args:
        reference: the original, float32 [T] at 16 kHz (a `Signal` keeps its analysis for reuse).
        decoded: the codec's output at 16 kHz, any length, delay or level; None scores the original
            against itself.
        transcript: what was said, for `words_right` and `word_error`.
        groups: which of GROUPS to compute.

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
        "words": lambda: word_scores(reference, matched, transcript),
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
