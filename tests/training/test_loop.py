"""Whole runs: stages, what they leave, stopping and going on, what is refused."""

import dataclasses
import errno
import json
import os
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_runs import Runs, assert_repeats, differences, with_stage

from vqspeech import endings
from vqspeech.checkpoint.model import load_checkpoint
from vqspeech.config.networks import SpeakerEncoderConfig
from vqspeech.endings import ENDING
from vqspeech.errors import InputError
from vqspeech.training.stage import StageRun
from vqspeech.training.state import STATE_FILE, load_position

# What a run leaves


def test_all_stages_leave_a_model(whole_run, config):
    checkpoint = load_checkpoint(whole_run / "model")
    about = checkpoint.about
    assert about.trained == {"codes": 12, "waveform": 9, "joint": 6}
    assert [speaker.name for speaker in about.speakers] == ["anna", "bert"]
    assert about.config == config
    assert checkpoint.model.quantizer.initialised
    assert bool((checkpoint.model.decoder.scale < 1).any()), "the bands have no scale"
    assert not [path.name for path in whole_run.iterdir() if "partial" in path.name]
    assert (whole_run / "tensorboard").is_dir()


def test_log_has_the_terms_of_each_stage(whole_run, config):
    log = Runs.log(whole_run)
    common = {
        "mel",
        "cepstra",
        "codebook",
        "commitment",
        "perplexity",
        "gradient_norm",
        "learning_rate",
    }
    common |= {"epoch_perplexity", "epoch_codes_used", "dead_codes"}
    for stage in config.training.stages:
        steps = [key[2] for key in log if key[:2] == ("train", stage.name)]
        assert steps == list(range(1, stage.steps + 1))
        figures = log["train", stage.name, stage.steps]
        assert set(figures) == common | ({"nats"} if stage.name != "codes" else set())
        assert all(np.isfinite(list(figures.values())))
        valid = log["valid", stage.name, stage.steps]
        assert ("nats_per_step_shuffled" in valid) == (stage.name != "codes")
        assert "nats_per_step_own" not in valid, "a decoder without own_envelope"
        assert {"mel", "perplexity", "codes_used"} <= set(valid)


def test_loss_falls(runs, config):
    config = with_stage(config, "codes", steps=50, batch=8, learning_rate=5e-3)
    config = with_stage(config, "waveform", steps=25, batch=8, learning_rate=2e-2)
    log = Runs.log(runs.train(config, stages=("codes", "waveform")))

    def mean(term, stage, first, last):
        return np.mean([log["train", stage, step][term] for step in range(first, last)])

    assert mean("mel", "codes", 46, 51) < 0.5 * mean("mel", "codes", 1, 6)
    assert log["valid", "codes", 50]["mel"] < 0.6 * mean("mel", "codes", 1, 6)
    assert mean("nats", "waveform", 22, 26) < mean("nats", "waveform", 1, 4) - 0.5


def test_waveform_stage_leaves_the_codes_alone(runs, config):
    """Also across checkpoints, which put the model into evaluation mode and back."""
    out = runs.train(config, stages=["codes"])
    codes = Runs.weights(out)
    runs.train(config, stages=["waveform"], resume=True, save_minutes=1e-9)
    waveform = Runs.weights(out)
    assert not differences(codes, waveform, "encoder.")
    assert not differences(codes, waveform, "quantizer.")
    assert differences(codes, waveform, "decoder.stack.")
    assert differences(codes, waveform, "conditioning.")
    assert load_position(out).before == {"codes": 12}
    assert load_checkpoint(out / "model").about.trained == {"codes": 12, "waveform": 9}


def test_band_scales_are_measured_once(runs, config):
    out = runs.train(config, stages=["codes", "waveform"])
    before = Runs.weights(out)["decoder.scale"]
    runs.train(config, resume=True, seed=9)
    assert torch.equal(Runs.weights(out)["decoder.scale"], before)


def test_run_says_when_the_codebook_collapses(runs, config, monkeypatch):
    runs.train(config, stages=["codes"])
    assert not [message for message in runs.said if "collapsing" in message]
    monkeypatch.setattr("vqspeech.training.watch.COLLAPSED_FRACTION", 1.1)
    runs.train(config, "other", stages=["codes"])
    assert [message for message in runs.said if "collapsing" in message]


def test_run_says_when_the_decoder_ignores_the_codes(runs, config, monkeypatch):
    short = with_stage(config, "waveform", steps=1)  # after one step it must
    runs.train(short, stages=["codes", "waveform"])
    assert [message for message in runs.said if "ignores the codes" in message]
    monkeypatch.setattr("vqspeech.training.watch.IGNORED_NATS", -1.0)
    runs.said.clear()
    runs.train(short, "other", stages=["codes", "waveform"])
    assert not [message for message in runs.said if "ignores the codes" in message]


def test_mixed_precision_trains(runs, config):
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)  # one process has one precision
    try:
        out = runs.train(config, stages=["codes", "waveform"], mixed_precision="bf16")
    finally:
        AcceleratorState._reset_state(True)
    log = Runs.log(out)
    assert log["valid", "waveform", 9]["nats"] < 5.6
    assert all(tensor.dtype != torch.bfloat16 for tensor in Runs.weights(out).values())


# Going on


def test_stages_one_by_one_are_the_stages_in_one_go(runs, config, whole_run):
    for stage in ("codes", "waveform", "joint"):
        out = runs.train(config, stages=[stage], resume=True)
    assert Runs.log(out) == Runs.log(whole_run)
    assert not differences(Runs.weights(out), Runs.weights(whole_run))


@pytest.mark.parametrize("steps", [[1], [5, 6], [12], [20, 4]])
def test_resumed_run_repeats_an_uninterrupted_one(runs, config, whole_run, steps):
    for count in steps:
        runs.stop_after(count)
        out = runs.train(config, resume=True)
    assert sum(load_position(out).trained.values()) == sum(steps)
    assert "--resume" in runs.said[-1]
    runs.go_on()
    runs.train(config, resume=True)
    assert "all stages done" in runs.said[-1]
    assert_repeats(out, whole_run)


def test_killed_run_goes_on_from_its_last_checkpoint(runs, config, whole_run, monkeypatch):
    step, save = StageRun.step, StageRun.save

    def killed(training, batch):
        if (training.stage.name, training.position.step) == ("waveform", 7):
            raise KeyboardInterrupt
        step(training, batch)
        if training.position.step % 3 == 1:
            save(training)

    with monkeypatch.context() as patch:
        patch.setattr(StageRun, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            runs.train(config)
    out = runs.root / "run"
    assert load_position(out).trained == {"codes": 12, "waveform": 7}
    runs.train(config, resume=True)
    assert_repeats(out, whole_run)


def signalled(runs, monkeypatch, at, numbers):
    """Have signals come amid the steps `at`, (stage, step)."""

    def step(training, batch):
        if (training.stage.name, training.position.step) in at:
            for number in numbers:
                signal.raise_signal(number)
        runs.step(training, batch)

    monkeypatch.setattr(StageRun, "step", step)


def test_ctrl_c_loses_no_step(runs, config, whole_run, monkeypatch):
    before = {number: signal.getsignal(number) for number in ENDING}
    with monkeypatch.context() as patch:
        signalled(runs, patch, {("codes", 11), ("waveform", 7)}, [signal.SIGINT])
        for trained in ({"codes": 12}, {"codes": 12, "waveform": 8}):
            with pytest.raises(KeyboardInterrupt):
                runs.train(config, resume=True)
            out = runs.root / "run"
            assert load_position(out).trained == trained
            assert "after this step" in runs.said[-2] and "--resume goes on" in runs.said[-1]
            assert {number: signal.getsignal(number) for number in ENDING} == before
    assert ("valid", "waveform", 8) not in Runs.log(out), "nobody waits for it to be measured"
    runs.train(config, resume=True)
    assert Runs.weights(out).keys() == Runs.weights(whole_run).keys()
    assert not differences(Runs.weights(out), Runs.weights(whole_run))


@pytest.mark.parametrize(("seconds", "trained"), [(0.1, {"codes": 5}), (3.0, {})])
def test_a_launcher_says_again_what_the_terminal_said_and_a_person_means_it(
    runs, config, monkeypatch, seconds, trained
):
    times = iter([100.0, 100.0 + seconds])
    monkeypatch.setattr(endings, "time", SimpleNamespace(monotonic=lambda: next(times)))
    signalled(runs, monkeypatch, {("codes", 4)}, [signal.SIGINT, signal.SIGINT])
    with pytest.raises(KeyboardInterrupt):
        runs.train(config)
    position = load_position(runs.root / "run")
    assert (position.trained if position else {}) == trained
    assert endings.PutOff.current is None


def test_a_checkpoint_that_cannot_be_written_is_said_in_spite_of_ctrl_c(runs, config, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    signalled(runs, monkeypatch, {("codes", 4)}, [signal.SIGINT])
    monkeypatch.setattr("vqspeech.training.stage.save_state", full)
    refused(runs, config, "No space left on device.*--resume")


def test_finished_run_resumes_to_nothing(runs, config, whole_run, capsys):
    out = runs.root / "run"
    shutil.copytree(whole_run, out)
    before = {path: os.stat(path).st_mtime_ns for path in out.rglob("*") if path.is_file()}
    del before[out / "config.json"]  # written again: stages may have been lengthened
    runs.train(config, resume=True)
    after = {path: os.stat(path).st_mtime_ns for path in out.rglob("*") if path.is_file()}
    del after[out / "config.json"]
    assert after == before
    assert "nothing to do, all stages done" in capsys.readouterr().err


def test_finished_stage_can_be_lengthened(runs, config):
    out = runs.train(config, stages=["codes"])
    longer = with_stage(config, "codes", steps=20)
    runs.train(longer, stages=["codes"], resume=True)
    assert load_position(out).trained == {"codes": 20}
    assert load_position(out).average_updates == 20


def test_next_stage_may_start_before_the_last_one_ended(runs, config):
    runs.stop_after(5)
    out = runs.train(config, stages=["codes"])
    runs.go_on()
    runs.train(config, stages=["waveform"], resume=True)
    assert "stage codes ends at 5 of its 12 steps" in runs.said
    assert load_position(out).trained == {"codes": 5, "waveform": 9}


def test_a_stage_that_was_passed_by(runs, config):
    """What came after it was trained without it."""
    runs.train(with_stage(config, "codes", steps=3), stages=["codes"])
    runs.train(with_stage(config, "codes", steps=3), stages=["waveform"], resume=True)
    longer = with_stage(config, "codes", steps=5)
    with pytest.raises(InputError, match=r"past stage 'codes' \(3 of 5 steps\).*--init"):
        runs.train(longer, stages=["codes"], resume=True)
    out = runs.train(longer, resume=True)  # of all stages, what is left
    assert load_checkpoint(out / "model").about.trained == {"codes": 3, "waveform": 9, "joint": 6}


def test_next_stage_starts_from_the_averaged_weights(runs, config, monkeypatch):
    out = runs.train(config, stages=["codes"])
    averaged, started = Runs.weights(out), {}

    def first_step(training, batch):
        started.update({k: v.clone() for k, v in training.run.model.state_dict().items()})
        raise KeyboardInterrupt

    monkeypatch.setattr(StageRun, "step", first_step)
    with pytest.raises(KeyboardInterrupt):
        runs.train(config, resume=True)
    assert differences(averaged, started) == {"decoder.scale"}


def test_resume_without_a_run_starts_one(runs, config):
    out = runs.train(config, stages=["codes"], resume=True)
    assert load_position(out).trained == {"codes": 12}


def test_time_runs_out(runs, config):
    out = runs.train(config, max_minutes=1e-9)
    assert load_position(out).trained == {"codes": 1}


# What is refused


def refused(runs, config, match, **options):
    with pytest.raises(InputError, match=match) as caught:
        runs.train(config, **options)
    assert "\n" not in str(caught.value)


def test_another_run_in_the_folder(runs, config):
    out = runs.train(config, stages=["codes"])
    before = (out / STATE_FILE).read_bytes()
    refused(runs, config, "holds a run already .stage codes, step 12.: continue it with --resume")
    assert (out / STATE_FILE).read_bytes() == before


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("resume", [False, True])
def test_a_model_in_the_folder_is_not_replaced(runs, config, whole_run, resume):
    shutil.copytree(whole_run / "model", runs.root / "run" / "model")  # as `--stage prior` leaves
    shutil.copytree(whole_run / "model", runs.root / "model")
    before = contents(runs.root)
    refused(runs, config, "run/model is a trained model.*another --out.*--init", resume=resume)
    refused(runs, config, "model is a model.*another --out.*--init", out="model", resume=resume)
    assert contents(runs.root) == before


def test_a_run_whose_state_was_removed(runs, config):
    out = runs.train(config, stages=["codes"])
    (out / STATE_FILE).unlink()
    refused(runs, config, "is a trained model, and has no state.safetensors")
    runs.train(config, stages=["codes"], resume=True)  # as if killed ahead of its first state
    assert load_position(out).trained == {"codes": 12}


@pytest.mark.parametrize(
    "part", ["encoder", "quantizer", "conditioning", "speaker_encoder", "decoder"]
)
def test_resume_with_another_configuration(runs, config, part):
    changes = {
        "encoder": {"channels": 12},
        "quantizer": {"ema_decay": 0.5},
        "conditioning": {"dilations": (2,)},
        "speaker_encoder": {"share": 0.25},
        "decoder": {"layers": 2},
    }
    heard = SpeakerEncoderConfig(channels=8, dilations=(1,), reference_seconds=0.1)
    config = dataclasses.replace(config, speaker_encoder=heard)
    runs.stop_after(2)
    out = runs.train(config)
    kept = (out / "config.json").read_text()
    other = dataclasses.replace(getattr(config, part), **changes[part])
    other = dataclasses.replace(config, **{part: other})
    refused(runs, other, rf"started with another \[{part}\]", resume=True)
    assert (out / "config.json").read_text() == kept


def test_resume_with_another_corpus(runs, config, corpus, tmp_path):
    runs.stop_after(2)
    runs.train(config)
    other = tmp_path / "other"
    other.mkdir()
    index = json.loads((corpus / "index.json").read_text())
    index["speakers"][0]["name"] = "carl"
    (other / "index.json").write_text(json.dumps(index))
    for path in corpus.glob("*.bin"):
        (other / path.name).symlink_to(path)
    runs.corpus = other
    refused(runs, config, "other speakers", resume=True)


def test_resume_with_other_recordings_says_so(runs, config, corpus, tmp_path):
    """Of the same speakers; where they were prepared is no difference."""
    runs.stop_after(1)
    runs.train(config)
    other = tmp_path / "other"
    other.mkdir()
    for path in corpus.glob("*.bin"):
        (other / path.name).symlink_to(path)
    index = json.loads((corpus / "index.json").read_text()) | {"source": "elsewhere"}
    names = index["utterances"]["name"]
    first, runs.corpus = names[0], other
    for name, said in ((first, 0), ("anna/another", 1), ("anna/another", 1), (first, 2)):
        names[0] = name
        (other / "index.json").write_text(json.dumps(index))
        runs.stop_after(1)
        runs.train(config, resume=True)
        assert sum("other recordings than this run had" in line for line in runs.said) == said


@pytest.mark.parametrize("damage", ["cut", "junk", "empty"])
def test_damaged_state(runs, config, damage):
    runs.stop_after(2)
    path = runs.train(config) / STATE_FILE
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "junk": b"x" * 999, "empty": b""}[damage])
    refused(runs, config, f"{STATE_FILE}: cannot be resumed", resume=True)


def test_state_of_a_stage_that_is_gone(runs, config):
    runs.stop_after(2)
    runs.train(config)
    training = dataclasses.replace(config.training, stages=config.training.stages[1:])
    refused(
        runs,
        dataclasses.replace(config, training=training),
        "no training stage 'codes'",
        resume=True,
    )


def test_waveform_before_codes(runs, config):
    refused(runs, config, "train the stage 'codes' there first", stages=["waveform"])


def test_unknown_stage(runs, config):
    refused(runs, config, "no training stage 'prior'", stages=["prior"])
    assert not (runs.root / "run").exists()


def test_no_stages(runs, config):
    training = dataclasses.replace(config.training, stages=())
    refused(runs, dataclasses.replace(config, training=training), "no training stages")


def test_no_corpus(runs, config, tmp_path):
    runs.corpus = tmp_path
    refused(runs, config, "not a prepared corpus")
    assert not (runs.root / "run").exists()


def test_out_that_cannot_be_a_folder(runs, config):
    (runs.root / "run").write_text("a file")
    refused(runs, config, "run: cannot be made")


def test_loss_that_is_not_finite(runs, config, monkeypatch):
    runs.stop_after(3)
    out = runs.train(config, stages=["codes"])
    runs.go_on()
    before = (out / STATE_FILE).read_bytes()
    monkeypatch.setattr(
        "vqspeech.training.stage.total_loss", lambda config, stage, losses: losses.mel * np.nan
    )
    match = "the loss is not finite at step 3 of stage codes: lower its learning_rate and go on"
    refused(runs, config, match, resume=True, save_minutes=1e-9)
    assert (out / STATE_FILE).read_bytes() == before


@pytest.mark.parametrize("where", ["model", "average", "a codebook's statistics"])
def test_weights_that_are_not_finite_reach_no_checkpoint(runs, config, monkeypatch, where):
    runs.stop_after(3)
    out = runs.train(config, stages=["codes"])
    runs.go_on()
    before, model = (out / STATE_FILE).read_bytes(), Runs.weights(out)
    save = StageRun.save

    def spoilt(stage):
        parts = {
            "model": stage.run.model.conditioning.stem.linear.bias,
            "average": stage.parts.average.weights["speakers.weight"],
            "a codebook's statistics": stage.run.model.quantizer.books[0].sums,
        }
        with torch.no_grad():
            parts[where].view(-1)[0] = np.inf
        save(stage)

    monkeypatch.setattr(StageRun, "save", spoilt)
    match = "weights are not finite at step .* of stage codes: lower its learning_rate"
    refused(runs, config, match, resume=True, save_minutes=1e-9)
    assert (out / STATE_FILE).read_bytes() == before
    assert not differences(Runs.weights(out), model)


def test_checkpoint_that_cannot_be_written(runs, config, monkeypatch):
    runs.stop_after(2)
    out = runs.train(config)
    before, model = (out / STATE_FILE).read_bytes(), Runs.weights(out)
    runs.go_on()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vqspeech.checkpoint.model.save_file", full)
    refused(runs, config, "No space left on device.*the last one is intact", resume=True)
    assert (out / STATE_FILE).read_bytes() == before
    assert not differences(Runs.weights(out), model)
    assert not [path.name for path in out.iterdir() if "partial" in path.name]
