"""Speech of a corpus, and embeddings of its voices, for the two measurements here."""

import csv
from pathlib import Path

import numpy as np

from vqspeech.evaluation import converted
from vqspeech.evaluation.metrics import networks


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
    return converted.real_speech(
        row["path"]
        for row in rows
        if row["speaker"] == speaker and row["split"].startswith("train")
    )


def similarity(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Cosine of two embeddings; NaN where speech is missing."""
    return networks.speaker_similarity(one, other)
