"""Speech of a corpus, and embeddings and pitch of its voices, for the two measurements here."""

import csv
from pathlib import Path

import numpy as np

from vqspeech import audio
from vqspeech.dsp import SAMPLE_RATE
from vqspeech.evaluation import networks, pitch

REFERENCE_SECONDS = 60
"""Of real speech of a voice, from which its embedding and its median F0 are taken."""


def read_manifest(speech: Path) -> list[dict[str, str]]:
    """The rows of DIR/manifest.tsv, with `path` added."""
    with open(speech / "manifest.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        row["path"] = speech / row["file"]
    return rows


def spread(items: list, count: int) -> list:
    """`count` of `items`, evenly over the list."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def real_speech(rows: list[dict], speaker: str) -> np.ndarray:
    """About a minute of a speaker's own recordings of the training splits: float32 [T]."""
    waves, samples = [], 0
    for row in rows:
        if row["speaker"] == speaker and row["split"].startswith("train"):
            waves.append(audio.read(row["path"], quiet=True))
            samples += len(waves[-1])
            if samples >= REFERENCE_SECONDS * SAMPLE_RATE:
                break
    return np.concatenate(waves)


def median_f0(wave: np.ndarray) -> float:
    """Median F0 in Hz over the voiced frames of `wave` [T]; NaN where none is."""
    track = pitch.track(wave, quick=True)  # the median needs no finer steps
    return float(np.median(track.f0[track.voiced])) if track.voiced.any() else float("nan")


def similarity(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Cosine of two embeddings; NaN where speech is missing."""
    return networks.speaker_similarity(one, other)
