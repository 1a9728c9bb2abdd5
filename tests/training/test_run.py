from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from vqspeech.errors import InputError
from vqspeech.training.run import Options, Run, to_batch


@pytest.fixture
def run(corpus, config, tmp_path):
    run = Run(config, Options(corpus, tmp_path, device="cpu", quiet=True, seed=3))
    yield run
    run.close()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"device": "gpu"}, "auto, cpu, cuda"),
        ({"mixed_precision": "fp16"}, "auto, no, bf16"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_impossible_options(options, match):
    with pytest.raises(InputError, match=match):
        Options(Path("data"), Path("out"), **options)


def test_missing_gpu_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA device here"):
        Options(Path("data"), Path("out"), device="cuda")


def test_random_numbers_are_a_function_of_seed_stage_and_step(run, monkeypatch):
    def draw(stage, step):
        run.seed_step(stage, step)
        return torch.rand(4).tolist()

    first = draw("codes", 5)
    others = [draw("codes", 6), draw("joint", 5)]
    monkeypatch.setattr(Accelerator, "process_index", 1)
    assert draw("codes", 5) == first, "processes draw for the batch of all of them"
    assert len({tuple(draws) for draws in [first, *others]}) == 3


def test_processes_that_see_different_files_are_told_so(run, monkeypatch):
    run.require_agreement("here")  # alone it agrees with itself

    def of_two(mine):
        return [*mine, (mine[0][0], "there")]

    monkeypatch.setattr("vqspeech.training.run.gather_object", of_two)
    with pytest.raises(InputError, match="the 2 processes do not see the same.*all machines share"):
        run.require_agreement("here")


def test_crops_are_whole_frames(run, config):
    stage = config.training.stages[0]
    crops = run.crops(stage, "train", 0)
    assert crops.samples == 8 * config.hop
    wave, speaker = to_batch(run, crops.batch_at(0))
    assert wave.shape == (2, 8 * config.hop) and wave.dtype == torch.float32
    assert speaker.shape == (2,)


def test_batch_is_scaled_to_full_scale_one(run):
    pcm = np.array([[-32768, 0, 16384]], np.int16)
    wave, _ = to_batch(run, (pcm, np.zeros(1, np.int64)))
    assert wave.tolist() == [[-1.0, 0.0, 0.5]]


def test_time_runs_out_only_with_a_limit(run, monkeypatch):
    assert not run.out_of_time()
    for minutes, late in ((1e-9, True), (60, False)):
        options = Options(run.options.data, run.options.out, device="cpu", max_minutes=minutes)
        monkeypatch.setattr(run, "options", options)
        assert run.out_of_time() is late
