"""From a folder of recordings to a model and back, by the command line alone."""

import importlib.util

import numpy as np
import pytest
from tiny_tomls import PRIOR, with_stages

from vqspeech.cli.train import with_steps
from vqspeech.config.reading import load_preset
from vqspeech.errors import InputError

TOML = with_stages(codes=1000, waveform=1000)


@pytest.fixture(autouse=True)
def full_precision(monkeypatch):
    """On every processor: a process has but one precision."""
    monkeypatch.setattr("vqspeech.training.run.cpu_has_bfloat16", lambda: False)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def corpus(cli, tmp_path, make_audio):
    for i, name in enumerate(("a/1", "a/2", "b/1", "b/2")):
        make_audio(f"speech/{name}.wav", seconds=1.0, seed=i)
    packed = tmp_path / "packed"
    options = ["--workers", 1, "--valid", 0.3, "--min-minutes", 0]
    result = cli("prepare", tmp_path / "speech", packed, *options)
    assert result.status == 0
    assert result.err[-1].startswith("vqspeech: packed 0.00 h in 4 utterances")
    return packed


def test_prepare_train_encode_decode(cli, config, corpus, tmp_path, make_audio):
    run = tmp_path / "run"
    train = ["train", "--config", config, "--data", corpus, "--out", run, "--device", "cpu"]
    train += ["--steps", "codes=2", "--steps", "waveform=2", "--quiet"]
    assert cli(*train).status == 0
    model = ["--model", run / "model"]
    assert "codes 2 steps" in cli("info", run / "model").out
    assert cli("encode", make_audio(), tmp_path / "codes.npy", *model).status == 0
    assert np.load(tmp_path / "codes.npy").shape == (25,)
    out = ["decode", tmp_path / "codes.npy", tmp_path / "out.wav", "--speaker", "b", *model]
    assert cli(*out).status == 0
    again = cli(*train)
    assert again.status == 2 and "--resume" in again.err[-1]


def test_manifest_from_here_or_from_the_root(cli, refused, tmp_path, make_audio):
    make_audio("speech/x.wav")
    make_audio("speech/y.wav")
    manifest = tmp_path / "speech" / "list.tsv"
    manifest.write_text("speaker\tfile\tsplit\nx\tx.wav\tone\ny\ty.wav\ttwo\n")
    for i, path in enumerate(("list.tsv", manifest)):
        options = ["--manifest", path, "--splits", "two", "--workers", 1, "--valid", 0]
        result = cli("prepare", tmp_path / "speech", tmp_path / f"out{i}", *options)
        assert result.status == 0 and "1 utterances" in result.err[-1]
    arguments = ["prepare", tmp_path / "speech", tmp_path / "out", "--manifest", manifest]
    refused([*arguments, "--splits", "three"], "three", "one, two")
    refused([*arguments[:4], "none.tsv"], "none.tsv")


def test_nothing_to_prepare(refused, tmp_path):
    refused(["prepare", tmp_path / "none", tmp_path / "out"], "none", "no such folder")
    (tmp_path / "speech").mkdir()
    refused(["prepare", tmp_path / "speech", tmp_path / "out"], "no audio files")


def test_bad_configurations(refused, config, corpus, tmp_path):
    rest = ["--data", corpus, "--out", tmp_path / "run"]
    refused(["train", "--config", "bass", *rest], "bass", "base, paper")
    refused(["train", "--config", tmp_path / "none.toml", *rest], "none.toml")
    for text, word in (
        (TOML.replace("mels = 16", "mells = 16"), "mells"),
        (TOML.replace("hop = 320", "hop = 300"), "160"),
        (TOML.replace("codebook_size = 16", "codebook_size = 'four'"), "four"),
        (TOML.replace("codebook_size = 16", "codebook_size = 16\ncodebooks = 3"), "1..2"),
        (TOML.replace("codebook_size = 16", "codebook_size = 1" + "0" * 5000), "TOML"),
        (TOML + "[[", "TOML"),
    ):
        config.write_text(text)
        refused(["train", "--config", config, *rest], config, word)


def test_bad_stages_and_steps(refused, config, corpus, tmp_path):
    train = ["train", "--config", config, "--data", corpus, "--out", tmp_path / "run"]
    refused([*train, "--stages", "codes,sound"], "sound", "codes, waveform")
    refused([*train, "--steps", "sound=3"], "sound")
    refused([*train, "--steps", "codes"], "STAGE=N")
    refused([*train, "--steps", "codes=0"], "'0' is not a whole number")
    refused([*train, "--steps", "codes=many"], "many")
    refused([*train, "--max-minutes", "nan"], "--max-minutes")
    refused([*train, "--mixed-precision", "fp16"], "fp16", "bf16")
    refused([*train, "--seed", 2**32], "--seed")


def test_a_teacher_that_cannot_teach_is_refused(refused, config, corpus, tmp_path):
    train = ["train", "--config", config, "--data", corpus, "--out", tmp_path / "run"]
    teach = ["--teacher", tmp_path / "none" / "at-all"]
    refused([*train, *teach, "--stage", "prior"], "--teacher", "prior")
    refused([*train, *teach], "'small' asks nothing of a teacher", "perceptual_weight")
    config.write_text(TOML.replace("[[training", "[training]\nstates_weight = 1\n[[training", 1))
    refused([*train, *teach], "at-all", "no such folder")
    (tmp_path / "none" / "at-all").mkdir(parents=True)
    refused([*train, *teach], "holds no Whisper model")
    (tmp_path / "none" / "at-all" / "model.bin").write_bytes(b"nothing")
    refused([*train, *teach], "model.bin", "cannot be read as Whisper's weights")
    assert not (tmp_path / "run").exists()


def test_a_model_to_begin_with(refused, config, corpus, tmp_path, tiny_model):
    train = ["train", "--config", config, "--data", corpus, "--out", tmp_path / "run"]
    refused([*train, "--init", tmp_path / "none"], "none", "no such model")
    refused([*train, "--init", tiny_model, "--stage", "prior"], "--init", "prior")


def test_a_folder_that_is_no_corpus(cli, config, tmp_path):
    result = cli("train", "--config", config, "--data", tmp_path, "--out", tmp_path / "run")
    assert result.status == 2 and "vqspeech prepare" in result.err[-1]


def test_training_without_its_extra(refused, config, corpus, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "vqspeech.cli.train.find_spec", lambda name: None if name == "accelerate" else find(name)
    )
    train = ["train", "--config", config, "--data", corpus, "--out", tmp_path / "run"]
    refused(train, "pip install 'vqspeech[train]'")


def test_no_gpu(refused, config, corpus, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    train = ["train", "--config", config, "--data", corpus, "--out", tmp_path / "run"]
    refused([*train, "--device", "cuda"], "CUDA")


def test_steps_replace_those_of_the_configuration():
    config = with_steps(load_preset("base"), {"codes": 7})
    others = [stage.steps for stage in load_preset("base").training.stages[1:]]
    assert [stage.steps for stage in config.training.stages] == [7, *others] and len(others) == 2
    with pytest.raises(InputError, match="no training stage 'joint'"):
        with_steps(load_preset("base"), {"joint": 7})


def test_a_prior(cli, refused, config, corpus, tmp_path):
    run = tmp_path / "run"
    train = ["train", "--config", config, "--data", corpus, "--out", run, "--quiet"]
    train += ["--device", "cpu"]
    prior = [*train, "--stage", "prior"]
    refused(prior, "no [prior]")
    config.write_text(TOML.replace("[[training", PRIOR + "[[training", 1))
    refused([*train, "--stages", "codes,prior"], "alone")
    refused([*train, "--model", run], "--stage prior")
    refused([*train, "--stage", "prior", "--compile"], "--compile is not for --stage prior")
    assert cli(*train, "--stages", "codes", "--steps", "codes=2").status == 0
    result = cli(*prior, "--steps", "prior=3")
    assert result.status == 0, result.err
    generated = cli(
        "generate", tmp_path / "o.wav", "--seconds", 0.2, "--preview", "--model", run / "model"
    )
    assert generated.status == 0, generated.err
    refused([*prior, "--steps", "prior=3"], "has a prior already")
    assert cli(*prior, "--steps", "prior=3", "--resume").status == 0
