"""One recording scored, by whichever process: metrics take about as long as the speech itself."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from vqspeech.evaluation.converted import Target, score_converted
from vqspeech.evaluation.methods import Take
from vqspeech.evaluation.metrics.recognisers import Recogniser
from vqspeech.evaluation.metrics.scores import POCKETSPHINX, Signal, score


class Task(NamedTuple):
    """One utterance to score. Waveforms are float32 [T] at 16 kHz; None: the original itself.

    targets: by method, the voices of its conversions."""

    key: int
    reference: np.ndarray
    decoded: dict[Take, np.ndarray | None]
    transcript: str | None
    groups: tuple[str, ...]
    targets: Mapping[str, Target] = {}
    recognisers: tuple[Recogniser, ...] = POCKETSPHINX


Scores = dict[Take, dict[str, float]]
"""Metric values by what was decoded."""


def score_task(task: Task) -> tuple[int, Scores]:
    """(key, scores) of a task; the reference is analysed once for all of its takes."""
    reference, what = Signal(task.reference), (task.transcript, task.groups, task.recognisers)
    scores = {
        take: score_converted(reference, decoded, task.targets[take.method], *what)
        if take.method in task.targets and decoded is not None
        else score(reference, decoded, *what)
        for take, decoded in task.decoded.items()
    }
    return task.key, scores
