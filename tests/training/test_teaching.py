"""Whole runs with a teacher: what they learn, what they leave, going on, what is refused."""

import dataclasses
import json

import numpy as np
import pytest
import tiny_whisper
from safetensors.torch import load_file
from tiny_runs import CONFIG, Runs, assert_repeats, differences, with_stage

from vqspeech.checkpoint.model import load_checkpoint
from vqspeech.config.model import from_dict
from vqspeech.errors import InputError
from vqspeech.training.state import load_position

BOTH = {"perceptual_weight": 0.5, "perceptual_layers": 2, "states_weight": 0.3}


def taught(config, **weights):
    """`config` that asks a teacher."""
    training = dataclasses.replace(config.training, **weights or BOTH)
    return dataclasses.replace(config, training=training)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return str(tiny_whisper.folder_of(tmp_path_factory.mktemp("teachers") / "tiny"))


@pytest.fixture(scope="module")
def paired():
    """Three short stages of a model of two codebooks."""
    return from_dict(CONFIG | {"quantizer": CONFIG["quantizer"] | {"codebooks": 2}})


@pytest.fixture(scope="module")
def whole(corpus, paired, teacher, tmp_path_factory):
    """Folder of a run of all stages in one go."""
    with pytest.MonkeyPatch.context() as patch:
        runs = Runs(corpus, tmp_path_factory.mktemp("taught"), patch)
        return runs.train(taught(paired), teacher=teacher)


def test_both_terms_are_logged_where_codes_are_trained(whole, paired):
    log = Runs.log(whole)
    for stage in paired.training.stages:
        for kind in ("train", "valid"):
            figures = log[kind, stage.name, stage.steps]
            both = {"perceptual", "states"} & set(figures)
            assert both == ({"perceptual", "states"} if stage.name != "waveform" else set())
            assert all(np.isfinite(list(figures.values())))


def test_the_model_tells_of_its_teacher_and_has_nothing_of_it(whole, paired):
    model, about, folder = load_checkpoint(whole / "model")
    note = about.teacher
    assert (note.name, note.layers, len(note.fingerprint)) == ("tiny", tiny_whisper.LAYERS, 16)
    assert (note.perceptual_weight, note.perceptual_layers, note.states_weight) == (0.5, 2, 0.3)
    assert "tiny" in str(note) and "perceptual 0.5 after 2 of 3" in str(note)
    assert model.state_head is None
    names = load_file(folder / "model.safetensors")
    assert not [name for name in names if "state_head" in name or "whisper" in name]
    table = json.loads((folder / "config.json").read_text())
    assert table["teacher"]["fingerprint"] == note.fingerprint
    table["teacher"]["layers"] = 0
    (folder / "config.json").write_text(json.dumps(table))
    with pytest.raises(InputError, match=r"\[teacher\] layers = 0"):
        load_checkpoint(folder)
    table["teacher"]["layers"] = note.layers
    (folder / "config.json").write_text(json.dumps(table))


def test_a_teacher_changes_what_is_learned(runs, paired, teacher):
    config = with_stage(paired, "codes", steps=4)

    def codes(out, weights, **options):
        config_of = taught(config, **weights)
        return Runs.weights(runs.train(config_of, out, stages=["codes"], **options))

    plain = codes("plain", {"states_weight": 0.0})
    one = codes("one", {"perceptual_weight": 0.5}, teacher=teacher)
    other = codes("other", {"states_weight": 0.5}, teacher=teacher)
    for found in (one, other):
        assert differences(plain, found, "encoder.")
    assert differences(one, other, "encoder.")


def test_without_a_teacher_training_says_so_and_goes_on(runs, paired):
    config = with_stage(paired, "codes", steps=4)
    plain = runs.train(config, "plain", stages=["codes"])
    assert not [line for line in runs.said if "no teacher" in line]
    out = runs.train(taught(config), stages=["codes"])
    [line] = [line for line in runs.said if "no teacher is given" in line]
    assert "--teacher" in line
    assert not differences(Runs.weights(plain), Runs.weights(out))
    assert load_checkpoint(out / "model").about.teacher is None


@pytest.mark.parametrize("steps", [[5, 11], [12, 10]])
def test_resumed_run_repeats_an_uninterrupted_one(runs, paired, whole, teacher, steps):
    for count in steps:
        runs.stop_after(count)
        runs.train(taught(paired), resume=True, teacher=teacher)
    runs.go_on()
    out = runs.train(taught(paired), resume=True, teacher=teacher)
    assert_repeats(out, whole)
    lines = [line for line in runs.said if line.startswith("the teacher: tiny (")]
    assert len(lines) == 3


def test_a_run_goes_on_with_its_own_teacher_only(runs, paired, teacher, tmp_path):
    config = taught(paired)
    other = str(tiny_whisper.folder_of(tmp_path / "second", seed=1))
    runs.stop_after(3)
    runs.train(config, "with", teacher=teacher)
    runs.stop_after(3)
    runs.train(config, "without")
    for out, name, words in (
        ("with", None, r"started with the teacher tiny .*none is given.*--teacher"),
        ("with", other, r"started with the teacher tiny .*second is another"),
        ("without", teacher, "started without a teacher"),
    ):
        before = load_position(runs.root / out)
        with pytest.raises(InputError, match=words) as found:
            runs.train(config, out, resume=True, teacher=name)
        assert "\n" not in str(found.value)
        assert load_position(runs.root / out) == before
    moved = str(tiny_whisper.folder_of(tmp_path / "elsewhere"))  # the same weights
    runs.stop_after(3)
    out = runs.train(config, "with", resume=True, teacher=moved)
    assert load_position(out).step == 6


def test_the_wavenet_goes_on_without_the_teacher_of_its_codes(runs, paired, teacher):
    config = taught(paired)
    out = runs.train(config, stages=["codes"], teacher=teacher)
    codes = Runs.weights(out)
    runs.stop_after(4)
    runs.train(config, stages=["waveform"], resume=True)
    runs.go_on()
    runs.train(config, stages=["waveform"], resume=True, teacher="/not/even/looked/for")
    assert not differences(codes, Runs.weights(out), "encoder.")
    about = load_checkpoint(out / "model").about
    assert about.teacher.name == "tiny" and about.trained == {"codes": 12, "waveform": 9}


def test_what_does_not_fit_is_refused_before_anything_is_made(runs, config, teacher, tmp_path):
    wide = str(tiny_whisper.folder_of(tmp_path / "wide", mels=20))
    long = with_stage(taught(config), "joint", crop_seconds=1.5, decoder_seconds=1.5)
    for asked, name, words in (
        (config, teacher, "asks nothing of a teacher.*perceptual_weight or states_weight"),
        (taught(config), wide, "wide hears 20 mel bands, and encoder.mels = 16"),
        (taught(config, perceptual_weight=1.0, perceptual_layers=4), teacher, "has 3 layers"),
        (long, teacher, "hears 1 s at most.*'joint' has crop_seconds = 1.5"),
        (taught(config), str(tmp_path), "holds no Whisper model"),
    ):
        with pytest.raises(InputError, match=words) as found:
            runs.train(asked, teacher=name)
        assert "\n" not in str(found.value)
        assert not (runs.root / "run").exists()
    states = taught(config, states_weight=1.0, perceptual_layers=64)  # of layers that nobody asks
    runs.stop_after(1)
    runs.train(states, teacher=teacher)


def test_degradation_changes_what_is_heard_in_training_only(runs, config):
    rough = {"noise": 0.5, "babble": 0.5, "reverberation": 0.5, "narrow_band": 0.5}
    training = dataclasses.replace(
        config.training, degradation=from_dict_degradation(rough), perceptual_weight=0.0
    )
    rough_config = dataclasses.replace(config, training=training)
    out = runs.train(rough_config, stages=["codes"])
    plain = runs.train(config, "plain", stages=["codes"])
    assert differences(Runs.weights(out), Runs.weights(plain), "encoder.")
    runs.stop_after(5)
    again = runs.train(rough_config, "again", stages=["codes"])
    runs.go_on()
    runs.train(rough_config, "again", stages=["codes"], resume=True)
    assert not differences(Runs.weights(out), Runs.weights(again))


def from_dict_degradation(values):
    """As a preset has it."""
    return from_dict({"name": "x", "training": {"degradation": values}}).training.degradation
