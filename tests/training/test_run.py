from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from vqspeech.audio.pitch import QUICK_HOP
from vqspeech.data.crops import CropBatch
from vqspeech.data.tracks import F0Track
from vqspeech.errors import InputError
from vqspeech.training import run as module
from vqspeech.training.log import RunLog
from vqspeech.training.run import Options, Run, to_batch

CPU_HAS_BFLOAT16 = module.cpu_has_bfloat16
"""Itself: in these tests, another stands in its place."""


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
    assert crops.shape.samples == 8 * config.hop
    batch = to_batch(run, crops.batch_at(0))
    assert batch.wave.shape == (2, 8 * config.hop) and batch.wave.dtype == torch.float32
    assert batch.speaker.shape == (2,)
    assert batch.f0 is None and batch.phonemes is None and not run.has_phonemes


def test_batch_is_scaled_to_full_scale_one(run):
    pcm = np.array([[-32768, 0, 16384]], np.int16)
    batch = to_batch(run, CropBatch(pcm, np.zeros(1, np.int64)))
    assert batch.wave.tolist() == [[-1.0, 0.0, 0.5]]


@pytest.fixture
def flat_pitch(monkeypatch):
    """In place of tracking: 120 Hz everywhere."""

    def track_f0(corpus, progress):
        ends = np.cumsum(corpus.index["utterances"]["samples"] // QUICK_HOP + 1)
        progress(len(ends), len(ends))
        return F0Track(np.full(ends[-1], 120, np.float16), ends)

    monkeypatch.setattr("vqspeech.training.run.track_f0", track_f0)


def opened(folder, config, tmp_path, monkeypatch):
    """(a run on `folder`, what it said)."""
    said = []
    monkeypatch.setattr(RunLog, "say", lambda log, message: said.append(message))
    return Run(config, Options(folder, tmp_path, device="cpu", quiet=True)), said


def test_pitch_and_phonemes_come_with_the_crops(
    spoken, everything, flat_pitch, tmp_path, monkeypatch
):
    run, said = opened(spoken, everything, tmp_path, monkeypatch)
    assert run.has_phonemes and said == ["tracking pitch, once: 8 of 8 utterances"]
    stage = everything.training.stages[0]
    for batch_size in (None, 5):
        crops = run.crops(stage, "train", 0, batch_size)
        batch = to_batch(run, crops.batch_at(0))
        size = batch_size or 2
        assert batch.f0.shape == (size, 16) and batch.f0.dtype == torch.float32
        assert set(batch.f0.unique().tolist()) == {120.0}
        assert batch.phonemes.shape == (size, 8) and batch.phonemes.dtype == torch.int64
        assert set(batch.phonemes.unique().tolist()) <= {0, 1, 2}
    run.close()


def test_a_corpus_without_phonemes_is_said_to_have_none(
    corpus, everything, flat_pitch, tmp_path, monkeypatch
):
    run, said = opened(corpus, everything, tmp_path, monkeypatch)
    assert said[-1] == f"no phonemes in {corpus}: codes are learned without them"
    assert not run.has_phonemes
    batch = to_batch(run, run.crops(everything.training.stages[0], "train", 0).batch_at(0))
    assert batch.f0 is not None and batch.phonemes is None
    run.close()


def test_time_runs_out_only_with_a_limit(run, monkeypatch):
    assert not run.is_to_stop()
    for minutes, late in ((1e-9, True), (60, False)):
        options = Options(run.options.data, run.options.out, device="cpu", max_minutes=minutes)
        monkeypatch.setattr(run, "options", options)
        assert run.is_to_stop() is late


@pytest.mark.parametrize(
    ("flags", "has"),
    [("fpu avx512f avx512_bf16 gfni", True), ("amx_tile amx_bf16", True), ("avx512f bf16x", False)],
)
def test_processors_that_multiply_bfloat16(tmp_path, monkeypatch, flags, has):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: none\n")
    asked = []
    monkeypatch.setattr(module, "Path", lambda path: asked.append(path) or tmp_path / "cpuinfo")
    assert CPU_HAS_BFLOAT16() is has and asked == ["/proc/cpuinfo"]
    monkeypatch.setattr(module, "Path", lambda path: tmp_path / "none")
    assert CPU_HAS_BFLOAT16() is False


@pytest.mark.parametrize(
    ("asked", "has", "chosen"),
    [("auto", True, "bf16"), ("auto", False, "no"), ("no", True, "no"), ("bf16", False, "bf16")],
)
def test_precision_is_what_the_processor_is_quick_at(
    corpus, config, tmp_path, monkeypatch, asked, has, chosen
):
    monkeypatch.setattr(module, "cpu_has_bfloat16", lambda: has)
    AcceleratorState._reset_state(True)  # one process has one precision
    try:
        run = Run(config, Options(corpus, tmp_path, device="cpu", mixed_precision=asked))
        assert run.accelerator.mixed_precision == chosen
        run.close()
    finally:
        AcceleratorState._reset_state(True)
