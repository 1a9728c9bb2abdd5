import math

import numpy as np
import pytest
from synthetic_voice import sung

from vqspeech.evaluation.pool import Task, score_all

GROUPS = ("mel",)


def tasks(count=3):
    for key in range(count):
        wave = sung(0.6, seed=key)[0]
        noise = np.random.default_rng(key).standard_normal(len(wave)).astype(np.float32)
        yield Task(key, wave, {"original": None, "noisy": wave + 0.01 * noise}, None, GROUPS)


def test_workers_find_what_this_process_finds():
    here = dict(score_all(tasks(), 0))
    there = dict(score_all(tasks(), 2))
    assert list(here) == list(there) == [0, 1, 2]
    for key, methods in here.items():
        assert list(methods) == ["original", "noisy"]
        assert methods["original"]["mel_distance"] == 0 < methods["noisy"]["mel_distance"]
        for method, scores in methods.items():
            for name, value in scores.items():
                assert there[key][method][name] == pytest.approx(value, nan_ok=True)


def test_tasks_are_not_all_made_at_once():
    made = []

    def counted():
        for task in tasks(8):
            made.append(task.key)
            yield task._replace(groups=("mel",))

    first = next(results := score_all(counted(), 1))
    assert first[0] == 0
    assert len(made) <= 4
    results.close()


def test_no_tasks():
    assert list(score_all(iter(()), 1)) == []


def test_silence_goes_through():
    task = Task(0, np.zeros(100, np.float32), {"x": np.zeros(100, np.float32)}, None, GROUPS)
    _, scores = next(score_all([task], 0))
    assert math.isnan(scores["x"]["mel_distance"])
