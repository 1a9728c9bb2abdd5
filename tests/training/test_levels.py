"""The stage "levels": upper levels of codes are learned, the first stays as it was."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_runs import CONFIG, SHORT, Runs, assert_repeats, differences

from vqspeech.checkpoint.identity import codes_identity
from vqspeech.checkpoint.model import load_checkpoint
from vqspeech.config.model import from_dict
from vqspeech.errors import InputError
from vqspeech.training import loop


@pytest.fixture(scope="module")
def levelled():
    """Codes, three levels of them, a WaveNet."""
    table = copy.deepcopy(CONFIG)
    table["quantizer"] |= {"levels": 3, "jitter": 0.0, "codebooks": 2, "upper_dim": 8}
    steps = {"codes": 8, "levels": 10, "waveform": 6}
    table["training"]["stages"] = [{"name": k, "steps": n} | SHORT for k, n in steps.items()]
    return from_dict(table)


@pytest.fixture(scope="module")
def whole(corpus, levelled, tmp_path_factory):
    """Folder of a run of all stages in one go, previews and all."""
    with pytest.MonkeyPatch.context() as patch:
        runs = Runs(corpus, tmp_path_factory.mktemp("levelled"), patch)
        runs.with_previews()
        return runs.train(levelled)


def test_all_stages_leave_a_model(whole, levelled):
    checkpoint = load_checkpoint(whole / "model")
    assert checkpoint.about.trained == {"codes": 8, "levels": 10, "waveform": 6}
    assert checkpoint.about.config == levelled
    assert checkpoint.model.levels.initialised


def test_log_says_what_each_level_gains(whole):
    log = Runs.log(whole)
    codes, upper, wave = (
        log["valid", s, n] for s, n in (("codes", 8), ("levels", 10), ("waveform", 6))
    )
    names = {f"{what}_of_{level}" for what in ("mel", "perplexity") for level in (2, 3)}
    assert not names & set(codes) and names <= set(upper) and names <= set(wave)
    assert all(np.isfinite(upper[name]) for name in names)
    assert "expected" in log["train", "levels", 10]
    assert "expected" not in log["train", "waveform", 6]
    first, last = (log["train", "levels", step]["left"] for step in (1, 10))
    assert last > 0 and np.isfinite(first) and "left" not in log["train", "codes", 8]
    assert "nats" in wave and "nats" not in upper


def test_the_first_level_stays_as_it_was(runs, levelled):
    out = runs.train(levelled, stages=["codes"])
    codes = Runs.weights(out)
    runs.train(levelled, stages=["levels"], resume=True, save_minutes=1e-9)
    upper = Runs.weights(out)
    for part in ("encoder.", "quantizer."):
        assert not differences(codes, upper, part)
    assert codes_identity(codes) == codes_identity(upper)
    assert differences(codes, upper, "levels.") and differences(codes, upper, "conditioning.")
    assert not differences(codes, upper, "decoder.")
    runs.train(levelled, stages=["waveform"], resume=True, save_minutes=1e-9)
    wave = Runs.weights(out)
    for part in ("encoder.", "quantizer.", "levels."):
        assert not differences(upper, wave, part), part
    assert differences(upper, wave, "conditioning.level.")


@pytest.mark.parametrize("warmup", [0, 10])
def test_upper_levels_are_silent_in_the_warm_up(runs, levelled, warmup):
    table = levelled.to_dict()
    table["training"]["stages"][1]["warmup"] = warmup
    out = runs.train(from_dict(table), stages=["codes", "levels"])
    first, *upper = Runs.weights(out)["conditioning.level.weight"]
    assert first.any() and all(bool(row.any()) == (not warmup) for row in upper)


@pytest.mark.parametrize("steps", [[5, 6], [10, 11]])
def test_resumed_run_repeats_an_uninterrupted_one(runs, levelled, whole, steps):
    for count in steps:
        runs.stop_after(count)
        out = runs.train(levelled, resume=True)
    runs.go_on()
    runs.train(levelled, resume=True)
    assert_repeats(out, whole)


def test_a_wavenet_without_the_stage_knows_one_level(runs, levelled):
    out = runs.train(levelled, stages=["codes", "waveform"])
    assert not load_checkpoint(out / "model").model.levels.initialised
    assert "mel_of_2" not in Runs.log(out)["valid", "waveform", 6]


def test_levels_over_another_models_codes(runs, levelled):
    """`--init` takes the codes over, and of upper levels nothing where the codes are others."""
    out = runs.train(levelled, "first", stages=["codes"])
    before = Runs.weights(out)
    again = runs.train(levelled, "second", stages=["levels"], init=str(out / "model"))
    after = Runs.weights(again)
    assert codes_identity(before) == codes_identity(after)
    assert load_checkpoint(again / "model").model.levels.initialised
    assert torch.equal(before["quantizer.books.0.codebook"], after["quantizer.books.0.codebook"])


def test_levels_of_codes_that_learn_anew_are_no_more(runs, whole, levelled):
    """They say what other first codes left: until they are learned again there is one level."""
    out = runs.train(levelled, stages=["codes"], init=str(whole / "model"))
    assert not load_checkpoint(out / "model").model.levels.initialised
    runs.train(levelled, stages=["levels"], resume=True)
    assert load_checkpoint(out / "model").model.levels.initialised


def test_levels_under_which_codes_move_are_to_be_learned_again(runs, whole, levelled, monkeypatch):
    table, init = levelled.to_dict(), str(whole / "model")
    table["training"]["stages"] = [{"name": k, "steps": 1} | SHORT for k in ("joint", "levels")]
    out = runs.train(from_dict(table), stages=["joint"], init=init)
    before, after = Runs.weights(whole), Runs.weights(out)
    assert codes_identity(before) != codes_identity(after)
    assert not differences(before, after, "levels.")
    (line,) = (line for line in runs.said if "train the stage 'levels' again" in line)
    assert f"--init {out / 'model'}" in line
    runs.said.clear()
    monkeypatch.setattr(loop, "train_stage", lambda run, stage, position: replace(position, step=1))
    runs.train(from_dict(table), "both", init=init)
    assert runs.said and not any("again" in line for line in runs.said)


def test_levels_of_nothing_are_refused(runs, levelled):
    with pytest.raises(InputError, match="stage 'levels' builds on trained codes"):
        runs.train(levelled, stages=["levels"])
    table = levelled.to_dict()
    table["quantizer"]["levels"] = 1
    with pytest.raises(InputError, match="quantizer.levels above 1"):
        from_dict(table)
    table["quantizer"] |= {"levels": 2, "jitter": 0.1}
    with pytest.raises(InputError, match="levels above 1 need jitter = 0"):
        from_dict(table)


def test_what_levels_need(levelled):
    table = levelled.to_dict()
    table["quantizer"]["upper_dim"] = 4 * 16 + 1
    with pytest.raises(InputError, match="upper_dim = 65 must be 64 or less"):
        from_dict(table)
    table["quantizer"]["upper_dim"] = 8
    table["conditioning"]["log_mel_head"] = False
    with pytest.raises(InputError, match="log_mel_head = true"):
        from_dict(table)
