"""recipes/paper: the bottlenecks' table, its files, and what run.sh refuses."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_runs import RATE, voice

from vqspeech.config.reading import load_preset
from vqspeech.data.corpus import find_utterances
from vqspeech.data.pack import pack
from vqspeech.errors import InputError

PAPER = Path(__file__).resolve().parents[2] / "recipes" / "paper"
SMALL = """
name = "{name}"
hop = 16
[encoder]
kind = "strided"
channels = 12
strides = [4, 4]
coarse_dilations = [1]
deviation = 0.05
[quantizer]
codebook_size = 16
dim = 6
update = "{update}"
normalise = false
[conditioning]
channels = 12
dilations = []
speaker_dim = 4
log_mel_head = false
[decoder]
bands = 1
residual_channels = 8
skip_channels = 12
layers = 4
cycle = 4
[[training.stages]]
name = "joint"
steps = 40
batch = 4
crop_seconds = 0.08
decoder_seconds = 0.08
learning_rate = 5e-3
warmup = 0
"""


@pytest.fixture(scope="module")
def script():
    about = importlib.util.spec_from_file_location("bottlenecks", PAPER / "bottlenecks.py")
    module = importlib.util.module_from_spec(about)
    about.loader.exec_module(module)
    return module


def start(script, monkeypatch, *arguments):
    # The process keeps the precision of its first training, and other tests have this one.
    monkeypatch.setattr("vqspeech.training.run.cpu_has_bfloat16", lambda: False)
    monkeypatch.setattr(sys, "argv", ["bottlenecks.py", *map(str, arguments)])
    script.main()


def test_one_table_of_what_was_trained_alike(script, packed_voices, tmp_path, monkeypatch, capfd):
    for name, update in (("mine", "gradient"), ("ema", "ema")):
        (tmp_path / f"{name}.toml").write_text(SMALL.format(name=name, update=update))
    arguments = [packed_voices, tmp_path / "out", "--device", "cpu"]
    arguments += [tmp_path / "mine.toml", tmp_path / "ema.toml"]
    start(script, monkeypatch, *arguments)
    said = capfd.readouterr().out
    assert said == (tmp_path / "out" / "bottlenecks.md").read_text()
    head, _, *rows = said.splitlines()
    assert head == "| | steps | minutes | bit/s | codes | nats | shuffled | worth |"
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert [row[0] for row in cells] == ["mine", "gaussian", "default-init", "ema"]
    assert {row[1] for row in cells} == {"40"}
    for name, *_, bits, codes, right, mixed, worth in cells:
        assert (codes == "-") == (name == "gaussian")
        assert float(bits) >= 0 and 0 < float(right) < 15
        assert float(mixed) - float(right) == pytest.approx(float(worth), abs=2e-3)
    assert len({row[5] for row in cells}) == 4, "a bottleneck is no other one"

    monkeypatch.setattr(script, "Experiment", None)  # nothing is trained again
    start(script, monkeypatch, *arguments)
    assert capfd.readouterr().out == said
    known = json.loads((tmp_path / "out" / "ema.json").read_text())
    known["asked"]["seed"] = 1
    (tmp_path / "out" / "ema.json").write_text(json.dumps(known))
    with pytest.raises(TypeError):  # but what was asked otherwise is
        start(script, monkeypatch, *arguments)


def test_a_gaussian_bottleneck_has_the_divergence_of_its_samples(script):
    bottleneck = script.GaussianBottleneck(4, hop=10).eval()  # which samples, too
    with torch.no_grad():
        bottleneck.parts.weight.zero_()
        bottleneck.parts.bias.zero_()
    z_e = torch.randn(2, 4, 50)
    nothing = bottleneck(z_e)
    assert nothing.codebook_loss.item() == 0  # it is the prior itself
    with torch.no_grad():
        bottleneck.parts.bias[:4] = 2.0
        bottleneck.parts.bias[4:] = -1.0
    wanted = torch.distributions.kl_divergence(
        torch.distributions.Normal(2.0, torch.tensor(-1.0).exp()), torch.distributions.Normal(0, 1)
    )
    assert bottleneck(z_e).codebook_loss.item() == pytest.approx(4 * float(wanted) / 10, rel=1e-5)
    drawn = bottleneck(z_e.expand(200, -1, -1, -1).flatten(0, 1)).z_q
    assert drawn.mean().item() == pytest.approx(2.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(torch.tensor(-1.0).exp().item(), rel=0.05)


def test_the_gaussian_learns_its_divergence_whatever_stands_first(script, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SMALL.format(name="mine", update="ema"))
    found = script.configurations([path])
    assert list(found) == ["mine", "gaussian", "default-init"]
    assert [one.quantizer.update for one in found.values()] == ["ema", "gradient", "ema"]


def test_shuffled_latents_are_the_same_ones(script):
    z = torch.randn(3, 2, 7)
    mixed = script.shuffled(z, torch.Generator().manual_seed(0))
    assert mixed.shape == z.shape and not torch.equal(mixed, z)
    rows = (x.transpose(1, 2).reshape(-1, 2).tolist() for x in (z, mixed))
    assert sorted(next(rows)) == sorted(next(rows))


def test_without_speech_held_out_there_is_nothing_to_measure(script, tmp_path, monkeypatch):
    import soundfile

    (tmp_path / "speech" / "anna").mkdir(parents=True)
    soundfile.write(tmp_path / "speech" / "anna" / "0.wav", voice(200, 1.5, 0), RATE)
    pack(find_utterances(tmp_path / "speech"), tmp_path / "packed", 1, 0.0, 0, progress=False)
    with pytest.raises(InputError, match="holds no speech out"):
        start(script, monkeypatch, tmp_path / "packed", tmp_path / "out")


def test_the_committed_files_change_what_their_names_say(script):
    found = script.configurations([])
    first = found["as-published"]
    assert next(iter(found)) == "as-published" and len(found) == 14
    paper = load_preset("paper")
    assert (first.encoder, first.quantizer) == (paper.encoder, paper.quantizer)
    for name, config in found.items():
        assert config.name == name
        assert replace(config, name="as-published", quantizer=first.quantizer) == first
        usual = replace(first.quantizer, normalise=config.quantizer.normalise)
        kind, _, number = name.partition("-")
        if kind == "beta":
            assert config.quantizer == replace(usual, commitment=float(number))
        if kind == "codes":
            assert config.quantizer == replace(usual, codebook_size=int(number))
        assert (config.quantizer.update == "ema") == (kind == "ema")
    whole = load_preset(PAPER / "paper.toml")
    narrow = replace(paper.decoder, skip_channels=whole.decoder.skip_channels)
    parts = {"training": paper.training, "prior": paper.prior}
    assert replace(whole, **parts) == replace(paper, decoder=narrow) and whole.prior is not None


def run(*arguments, status=0):
    command = ["bash", str(PAPER / "run.sh"), *map(str, arguments)]
    environment = os.environ | {"VQSPEECH_ENVIRONMENT": "ready"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def test_what_the_recipe_refuses(tmp_path):
    assert "--bottleneck-steps" in run("--help")
    cases = {
        "are numbers from 1 to 8": ["--stage", 9],
        "--exp needs a value": ["--exp"],
        "it goes to EXP/packed-model": ["--package", tmp_path],
        "--speech DIR is needed": ["--exp", tmp_path],
        "unknown option --nonsense": ["--nonsense"],
        "packed/index.json is missing: run stage 1 first": ["--stage", 6, "--exp", tmp_path],
        "run/model/config.json is missing: run stage 2 first": ["--stage", 8, "--exp", tmp_path],
    }
    for words, arguments in cases.items():
        said = run(*arguments, status=2)
        assert words in said.splitlines()[-1], said
