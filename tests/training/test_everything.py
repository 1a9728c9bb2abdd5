"""Whole runs of a model with all there is: pitch, phonemes, harmonics, low bins, warping."""

import numpy as np
import pytest
import torch
from tiny_runs import Runs, assert_repeats, differences

from vqspeech.checkpoint.model import load_checkpoint
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import load_f0


@pytest.fixture(scope="module")
def whole(spoken, everything, tmp_path_factory):
    """Folder of a run of all stages in one go, previews and all."""
    with pytest.MonkeyPatch.context() as patch:
        runs = Runs(spoken, tmp_path_factory.mktemp("everything"), patch)
        runs.with_previews()
        return runs.train(everything)


@pytest.fixture
def spoken_runs(spoken, tmp_path, monkeypatch):
    return Runs(spoken, tmp_path, monkeypatch)


def test_all_stages_leave_a_model(whole, spoken, everything):
    checkpoint = load_checkpoint(whole / "model")
    assert checkpoint.about.trained == {"codes": 12, "waveform": 9, "joint": 6}
    assert checkpoint.about.config == everything
    assert checkpoint.model.decoder.excitation is not None
    f0 = load_f0(PackedCorpus(spoken))
    assert f0 is not None and (f0.of(0) > 0).any(), "what was tracked is kept beside the corpus"


def test_log_has_the_new_terms(whole, everything):
    log = Runs.log(whole)
    for stage in everything.training.stages:
        for kind in ("train", "valid"):
            figures = log[kind, stage.name, stage.steps]
            assert {"pitch", "phonemes", "mel"} <= set(figures)
            assert ("nats" in figures) == (stage.name != "codes")
            assert all(np.isfinite(list(figures.values())))
        assert log["train", stage.name, 1]["phonemes"] < 2 * np.log(40)
        valid = log["valid", stage.name, stage.steps]
        under = {valid.get(f"nats_per_step{whose}") for whose in ("", "_own")}
        assert under == {None} if stage.name == "codes" else len(under - {None}) == 2


@pytest.mark.parametrize("steps", [[5, 11], [12, 10]])
def test_resumed_run_repeats_an_uninterrupted_one(spoken_runs, everything, whole, steps):
    for count in steps:
        spoken_runs.stop_after(count)
        out = spoken_runs.train(everything, resume=True)
    before = Runs.weights(out)
    spoken_runs.go_on()
    spoken_runs.train(everything, resume=True)
    assert_repeats(out, whole)
    for part in ("phoneme_head.", "conditioning.pitch_head.", "decoder.excitation."):
        assert differences(before, Runs.weights(out), part), part


def test_without_phonemes_they_are_not_learned(runs, everything):
    runs.stop_after(3)
    out = runs.train(everything)
    assert [message for message in runs.said if "no phonemes in" in message]
    before = Runs.weights(out)
    runs.go_on()
    runs.train(everything, resume=True)
    after, log = Runs.weights(out), Runs.log(out)
    assert not differences(before, after, "phonemes.") and differences(before, after, "encoder.")
    assert load_checkpoint(out / "model").about.trained["joint"] == 6
    assert all("phonemes" not in figures and "pitch" in figures for figures in log.values())
    whole = runs.train(everything, "other")
    assert not differences(after, Runs.weights(whole))


def test_mixed_precision_trains(spoken_runs, everything):
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)  # one process has one precision
    try:
        out = spoken_runs.train(everything, mixed_precision="bf16")
    finally:
        AcceleratorState._reset_state(True)
    valid = Runs.log(out)["valid", "joint", 6]
    assert valid["nats"] < 5.7 and valid["pitch"] < 5 and valid["phonemes"] < 4
    assert all(tensor.dtype != torch.bfloat16 for tensor in Runs.weights(out).values())
