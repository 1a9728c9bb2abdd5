"""The stage "prior" on codes of the tiny run."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import torch
from tiny_runs import CONFIG

from vqspeech.checkpoint.identity import codes_identity
from vqspeech.checkpoint.model import load_checkpoint
from vqspeech.checkpoint.prior import load_prior
from vqspeech.config.model import from_dict
from vqspeech.config.networks import QuantizerConfig
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.locks import sole_process
from vqspeech.training.baselines import baseline_bits
from vqspeech.training.corpus_codes import CODES_FILE, CorpusCodes, corpus_codes
from vqspeech.training.fit_prior import fit_prior
from vqspeech.training.loop import train
from vqspeech.training.prior_crops import CodeCrops, bits_per_code

PRIOR = {"residual_channels": 8, "skip_channels": 8, "layers": 3, "cycle": 3, "speaker_dim": 4}
PRIOR |= {"steps": 60, "batch": 4, "crop_frames": 12, "evaluate_every": 10, "patience": 3}
PRIOR |= {"learning_rate": 1e-2, "warmup": 5}


@pytest.fixture
def prior_config():
    return from_dict(CONFIG | {"prior": PRIOR})


@pytest.fixture
def fitted(runs, prior_config, whole_run):
    """Folder of a run into which a copy of the whole run's model and its prior went."""
    fit_prior(prior_config, runs.options("prior"), str(whole_run / "model"))
    return runs.root / "prior"


def some(lengths, codes=5, seed=0):
    rng = np.random.default_rng(seed)
    indices = rng.integers(codes, size=sum(lengths)).astype(np.uint16)
    return CorpusCodes(indices, np.cumsum(lengths), np.arange(len(lengths)))


def test_a_fit_falls_below_the_uniform(fitted):
    lines = [json.loads(line) for line in (fitted / "log.jsonl").read_text().splitlines()]
    valid = [line for line in lines if line["kind"] == "valid"]
    assert min(line["bits"] for line in valid) < 0.95 * valid[0]["bits_uniform"]
    stored = load_prior(fitted / "model", load_checkpoint(fitted / "model").model)
    # The best of the measurements is the one that is kept.
    assert bits_per_code(stored.prior, _codes(fitted)["valid"]) == pytest.approx(
        min(line["bits"] for line in valid), rel=1e-4
    )


def _codes(folder):
    from safetensors.numpy import load_file

    kept = load_file(folder / CODES_FILE)
    return {
        split: CorpusCodes(*(kept[f"{split}.{part}"] for part in ("indices", "ends", "speakers")))
        for split in ("train", "valid")
    }


def test_the_model_is_left_as_it_was(fitted, whole_run):
    one, two = load_checkpoint(whole_run / "model"), load_checkpoint(fitted / "model")
    assert one.about == two.about
    assert not (whole_run / "model" / "prior.safetensors").exists()


def test_codes_are_extracted_once(fitted, corpus, monkeypatch):
    model = load_checkpoint(fitted / "model").model
    packed = PackedCorpus(corpus)
    found = _codes(fitted)
    for split in ("train", "valid"):
        utterances = list(packed.utterances(split))
        for (codes, row), (_, speaker, audio) in zip(
            found[split].utterances(), utterances, strict=True
        ):
            wave = torch.from_numpy(audio.astype(np.float32) / 32768)[None]
            assert row == speaker and np.array_equal(codes, model.encode(wave)[0].numpy())
    identity = codes_identity(model.state_dict())
    monkeypatch.setattr(model, "encode", None)  # would fail if it were asked
    again = corpus_codes(model, identity, packed, fitted)
    assert np.array_equal(again["train"].indices, found["train"].indices)
    with pytest.raises(TypeError):
        corpus_codes(model, "another model", packed, fitted)


def test_a_second_fit(runs, prior_config, fitted, capsys):
    with pytest.raises(InputError, match="has a prior"):
        fit_prior(prior_config, runs.options("prior"))
    before = load_prior(fitted / "model", load_checkpoint(fitted / "model").model)
    logs = sorted((fitted / "tensorboard").iterdir())
    fit_prior(prior_config, runs.options("prior", resume=True))
    assert sorted((fitted / "tensorboard").iterdir()) == logs
    said = capsys.readouterr().err
    assert "nothing to do" in said and "has a prior" in said
    (fitted / "model" / "prior.safetensors").unlink()
    fit_prior(prior_config, runs.options("prior"))
    again = load_prior(fitted / "model", load_checkpoint(fitted / "model").model)
    assert again.fingerprint == before.fingerprint, "the same seed gives the same prior"


def test_what_cannot_be_fitted(runs, prior_config, config, whole_run, tmp_path, tiny_model):
    with pytest.raises(InputError, match="no \\[prior\\]"):
        fit_prior(config, runs.options())
    with pytest.raises(InputError, match="no trained model"):
        fit_prior(prior_config, runs.options())
    with pytest.raises(InputError, match="not trained"):
        fit_prior(prior_config, runs.options("untrained"), str(tiny_model))
    shutil.copytree(whole_run / "model", tmp_path / "has" / "model")
    with pytest.raises(InputError, match="exists already"):
        fit_prior(prior_config, runs.options("has"), str(whole_run / "model"))
    about = tmp_path / "has" / "model" / "config.json"
    about.write_text(about.read_text().replace("anna", "zoe"))
    with pytest.raises(InputError, match="other speakers"):
        fit_prior(prior_config, runs.options("has"))
    runs.corpus = tmp_path
    with pytest.raises(InputError, match="not a prepared corpus"):
        fit_prior(prior_config, runs.options("new"), str(whole_run / "model"))
    assert not (tmp_path / "new").exists()


def test_only_one_process_trains_in_a_folder(runs, prior_config, config, whole_run, tmp_path):
    shutil.copytree(whole_run / "model", tmp_path / "run" / "model")
    with sole_process(tmp_path / "run"):
        for train_it in (train, fit_prior):
            with pytest.raises(InputError, match=f"run: process {os.getpid()} .*wait"):
                train_it(prior_config, runs.options(resume=True))
    assert os.listdir(tmp_path / "run") == ["model"]


def test_a_fit_that_was_killed_once_it_had_its_model_goes_on(runs, prior_config, whole_run):
    given, options = str(whole_run / "model"), runs.options("killed", resume=True)
    shutil.copytree(given, options.out / "model")
    (options.out / ".model.17.partial").mkdir()
    fit_prior(prior_config, options, given)
    assert (options.out / "model" / "prior.safetensors").exists()
    assert not list(options.out.glob(".*"))


def test_it_stops_once_nothing_gets_better(runs, prior_config, whole_run):
    slow = dataclasses.replace(prior_config.prior, learning_rate=1e-8, warmup=0, steps=1000)
    still = dataclasses.replace(slow, evaluate_every=2, patience=2, final_learning_rate=0.0)
    config = dataclasses.replace(prior_config, prior=still)
    fit_prior(config, runs.options("still"), str(whole_run / "model"))
    assert len(runs.log(runs.root / "still")) < 20


def test_crops():
    codes = some([3, 40, 8])
    crops = CodeCrops(codes, 10, 64, seed=1)
    seen = np.zeros(len(codes.indices))
    for step in range(40):
        indices, speakers, inside, counts = (part.numpy() for part in crops.batch_at(step))
        assert indices.shape == counts.shape == (64, 10)
        for row, speaker, later, used in zip(indices, speakers, inside, counts, strict=True):
            own = codes.indices[codes.starts[speaker] : codes.ends[speaker]]
            part = row[used]
            places = [i for i in range(len(own)) if np.array_equal(own[i : i + len(part)], part)]
            assert places and (later or 0 in places)
            seen[codes.starts[speaker] + places[0]] += 1
    assert (seen[[0, 3, 43]] > 100).all(), "first codes are seen often"
    again = CodeCrops(codes, 10, 64, seed=1).batch_at(39)
    assert all(np.array_equal(a, b) for a, b in zip(again, crops.batch_at(39), strict=True))


@pytest.mark.parametrize("books", [1, 2])
@pytest.mark.parametrize("length", [10, 11, 20, 23])
def test_last_codes_are_seen(books, length):
    codes = some([length])
    codes.indices[:] = np.arange(length)
    crops, seen = CodeCrops(codes, 10, 64, seed=1, books=books), np.zeros(length)
    for step in range(100):
        indices, _, _, counts = (part.numpy() for part in crops.batch_at(step))
        np.add.at(seen, indices[counts], 1)
    assert (seen > 200).all()


def test_crops_begin_with_the_first_codebooks_turn():
    codes = some([3, 41, 8])
    codes.indices[:] = np.concatenate([np.arange(n) % 2 for n in (3, 41, 8)])
    crops = CodeCrops(codes, 10, 64, seed=1, books=2)
    assert all(not crops.batch_at(step)[0][:, 0].any() for step in range(40))


def test_baselines():
    train, held_out = some([2000] * 3), some([500] * 2, seed=1)
    one = QuantizerConfig(codebook_size=5)
    bits = baseline_bits(train, held_out, one)
    assert bits["uniform"] == pytest.approx(np.log2(5))
    assert bits["unigram"] == pytest.approx(np.log2(5), abs=0.01)
    assert bits["bigram"] == pytest.approx(np.log2(5), abs=0.02)
    cycle = CorpusCodes((np.arange(600) % 5).astype(np.uint16), np.array([600]), np.array([0]))
    assert baseline_bits(cycle, cycle, one)["bigram"] < 0.2


def test_baselines_of_two_codebooks():
    """Codes 0 and 1 in even frames, 2 and 3 in odd ones: a codebook's own histogram knows it."""
    lengths = (1999, 2001)
    places = np.concatenate([np.arange(length) for length in lengths])
    own = np.random.default_rng(0).integers(2, size=len(places)) + 2 * (places % 2)
    codes = CorpusCodes(own.astype(np.uint16), np.cumsum(lengths), np.array([0, 0]))
    two = QuantizerConfig(codebook_size=4, codebooks=2)
    bits = baseline_bits(codes, codes, two)
    assert bits["uniform"] == 2
    assert bits["unigram"] == pytest.approx(1, abs=0.02)
    assert set(codes.rows(two)) == {0, 1, 6, 7}
