"""Voice conversion: whom to convert to, and how near the result comes to that voice."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vqspeech.audio import pitch
from vqspeech.audio import reading as audio
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.checkpoint.voices import Voice
from vqspeech.data.index import OTHER
from vqspeech.errors import InputError
from vqspeech.evaluation.metrics import networks
from vqspeech.evaluation.metrics.recognisers import Recogniser
from vqspeech.evaluation.metrics.scores import POCKETSPHINX, Signal, word_scores
from vqspeech.evaluation.metrics.signals import match
from vqspeech.evaluation.metrics.table import CONVERSION_METRICS, NAN

GROUPS = tuple(dict.fromkeys(metric.group for metric in CONVERSION_METRICS))

REFERENCE_SECONDS = 60.0
"""Of real speech of a voice, from which its embedding and its median F0 are taken."""
TARGETS_EACH = 3
"""Women, and men."""
ENOUGH_MINUTES = 7.0
"""Of training speech: a voice with less was hardly learnt, and is taken only if none has more."""
SEMITONES = 2.0
"""A voice is about as high as another within this."""


class Target(NamedTuple):
    """A voice to convert to, known from real speech: embedding (unit vector, or None), F0 in Hz.
    voice: what the model heard of it; None for a speaker that it was trained on."""

    name: str
    embedding: np.ndarray | None
    f0: float
    voice: Voice | None = None

    @property
    def speaker(self) -> str | Voice:
        """What a codec converts to."""
        return self.name if self.voice is None else self.voice


def choose_targets(
    table: Sequence[Speaker],
    among: Collection[str],
    each: int = TARGETS_EACH,
    minutes: float = ENOUGH_MINUTES,
    seed: int = 0,
) -> tuple[list[str], list[str]]:
    """(names of the targets, names of all that could have been) out of a model's speaker table.

    Drawn by `seed`, not by result: `each` women and men, or where that is known of nobody of all,
    with so many `minutes` of training speech. Where nobody has as much, everybody will do.
    """
    known = [s for s in table if s.name in among and s.name != OTHER]
    enough = [s for s in known if s.minutes >= minutes] or known
    enough.sort(key=lambda speaker: speaker.name)
    rng, targets = np.random.default_rng(seed), []
    for gender in ("f", "m", ""):
        names = [s.name for s in enough if s.gender == gender]
        if names and (gender or not targets):
            chosen = rng.choice(names, min(each, len(names)), replace=False)
            targets += sorted(chosen.tolist())
    return targets, [s.name for s in enough]


def real_speech(paths: Iterable[Path], seconds: float = REFERENCE_SECONDS) -> np.ndarray:
    """About so much of one speaker's recordings: float32 [T], [0] if none is readable."""
    waves, samples = [np.zeros(0, np.float32)], 0
    for path in paths:
        try:
            waves.append(audio.read(path, quiet=True))
        except InputError:
            continue
        samples += len(waves[-1])
        if samples >= seconds * SAMPLE_RATE:
            break
    return np.concatenate(waves)


def know(name: str, paths: Iterable[Path], groups: Collection[str]) -> Target | None:
    """A target as its recordings show it; None without speech. groups: metrics asked for.

    Raises InputError if a package is missing.
    """
    wave = real_speech(paths)
    return known_by(name, wave, groups) if len(wave) else None


def known_by(name: str, wave: np.ndarray, groups: Collection[str]) -> Target:
    """A target as its speech (float32 [T] at 16 kHz) shows it. groups: metrics asked for.

    Raises InputError if a package is missing.
    """
    embedding = networks.voice_embedding(wave) if "speaker" in groups else None
    return Target(name, embedding, pitch.median_f0(wave) if "f0" in groups else NAN)


def score_converted(
    reference: Signal,
    decoded: np.ndarray,
    target: Target,
    transcript: str | None = None,
    groups: Collection[str] = GROUPS,
    recognisers: Sequence[Recogniser] = POCKETSPHINX,
) -> dict[str, float]:
    """CONVERSION_METRICS (those of `groups`) of a `reference` converted to `target`, by name.

    decoded: float32 at 16 kHz. NaN: not defined. Raises InputError if a package is missing.
    """
    samples, delay = match(reference.samples, np.asarray(decoded, np.float32))
    converted = Signal(samples)
    scores = {"delay_ms": 1000 * delay / SAMPLE_RATE}
    if "dnsmos" in groups:
        scores |= networks.dnsmos(samples)
    if "words" in groups:
        scores |= word_scores(reference, converted, transcript, recognisers)
    if "speaker" in groups:
        scores |= _similarities(reference, converted, target)
    if "f0" in groups:
        off = 12 * np.log2(pitch.median_f0(samples) / target.f0)
        within = NAN if np.isnan(off) else 100.0 * bool(abs(off) <= SEMITONES)
        scores |= {"f0_off": float(abs(off)), "f0_within": within}
    return scores


def _similarities(reference: Signal, converted: Signal, target: Target) -> dict[str, float]:
    to_target = networks.speaker_similarity(target.embedding, converted.voice)
    to_source = networks.speaker_similarity(reference.voice, converted.voice)
    known = np.isfinite(to_target) and np.isfinite(to_source)
    return {
        "target_similarity": to_target,
        "source_similarity": to_source,
        "closer_to_target": 100.0 * bool(to_target > to_source) if known else NAN,
    }
