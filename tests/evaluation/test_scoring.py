import math

import numpy as np
import pytest
from synthetic_voice import sung

from vqspeech.audio.pitch import median_f0
from vqspeech.evaluation.converted import Target
from vqspeech.evaluation.methods import Take
from vqspeech.evaluation.scoring import Task, score_task
from vqspeech.parallel import map_processes

GROUPS = ("mel",)
ORIGINAL, NOISY = Take("original"), Take("wavenet", 3)


def tasks(count=3):
    for key in range(count):
        wave = sung(0.6, seed=key)[0]
        noise = np.random.default_rng(key).standard_normal(len(wave)).astype(np.float32)
        yield Task(key, wave, {ORIGINAL: None, NOISY: wave + 0.01 * noise}, None, GROUPS)


def test_workers_find_what_this_process_finds():
    here, there = (dict(map_processes(score_task, tasks(), jobs)) for jobs in (0, 2))
    assert list(here) == list(there) == [0, 1, 2]
    for key, methods in here.items():
        assert list(methods) == [ORIGINAL, NOISY]
        assert methods[ORIGINAL]["mel_distance"] == 0 < methods[NOISY]["mel_distance"]
        for method, scores in methods.items():
            for name, value in scores.items():
                assert there[key][method][name] == pytest.approx(value, nan_ok=True)


def test_silence_goes_through():
    task = Task(0, np.zeros(100, np.float32), {NOISY: np.zeros(100, np.float32)}, None, GROUPS)
    _, scores = score_task(task)
    assert math.isnan(scores[NOISY]["mel_distance"])


def test_conversions_are_compared_with_their_target():
    wave, take, unseen = sung(0.8)[0], Take("convert-preview"), Take("convert-unseen-preview")
    far, near = Target("a", None, 1e3), Target("b", None, median_f0(wave))
    targets, decoded = {take.method: far, unseen.method: near}, {take: wave, unseen: wave}
    groups = ("f0", "mel")
    _, scores = score_task(Task(0, wave, decoded | {ORIGINAL: None}, None, groups, targets))
    assert scores[take]["f0_off"] > 12 and "mel_distance" not in scores[take]
    assert scores[unseen]["f0_off"] < 0.1, "each has a target of its own"
    assert "f0_off" not in scores[ORIGINAL] and scores[ORIGINAL]["mel_distance"] == 0
