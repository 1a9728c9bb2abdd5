"""Worker processes for metrics that take about as long as the speech itself lasts.

No NumPy at the top: a worker must set its number of threads before any library reads it.
"""

import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from vqspeech.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from vqspeech.evaluation.converted import Target
    from vqspeech.evaluation.methods import Take

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_WAITING_PER_WORKER = 2


class Task(NamedTuple):
    """One utterance to score. Waveforms are float32 [T] at 16 kHz; None: the original itself.

    target: the voice of its conversions."""

    key: int
    reference: "np.ndarray"
    decoded: "dict[Take, np.ndarray | None]"
    transcript: str | None
    groups: tuple[str, ...]
    target: "Target | None" = None


Scores = dict["Take", dict[str, float]]
"""Metric values by what was decoded."""


def score_task(task: Task) -> tuple[int, Scores]:
    """(key, scores) of a task; the reference is analysed once for all of its takes."""
    from vqspeech.evaluation.converted import score_converted
    from vqspeech.evaluation.methods import CONVERTING
    from vqspeech.evaluation.metrics.scores import Signal, score

    reference, what = Signal(task.reference), (task.transcript, task.groups)
    scores = {
        take: score_converted(reference, decoded, task.target, *what)
        if take.method in CONVERTING
        else score(reference, decoded, *what)
        for take, decoded in task.decoded.items()
    }
    return task.key, scores


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers, without their noise
    os.environ.update(dict.fromkeys(_THREADS, "1"))


def score_all(tasks: Iterable[Task], jobs: int) -> Iterator[tuple[int, Scores]]:
    """Score `tasks`, taken only as fast as workers finish, in the order of completion.

    jobs: spawned processes of one thread each; 0 scores in this process. Raises InputError if a
    package is missing, or if a worker is killed.
    """
    if jobs < 1:
        yield from map(score_task, tasks)
        return
    executor = ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker)
    try:
        yield from _drive(executor, tasks, jobs * _WAITING_PER_WORKER)
    except BrokenProcessPool:
        raise InputError(
            "a worker of the evaluation was killed, probably for memory; use fewer --jobs"
        ) from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _drive(executor: ProcessPoolExecutor, tasks: Iterable[Task], most: int):
    waiting: list[Future] = []
    for task in tasks:
        waiting.append(executor.submit(score_task, task))
        if len(waiting) > most:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()
