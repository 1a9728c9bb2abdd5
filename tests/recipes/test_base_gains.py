"""recipes/base/gains.py: parts of what a WaveNet is told, multiplied."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

from vqspeech.errors import InputError

GAIN = 1.5


@pytest.fixture
def heard():
    """What was scored, in its order."""
    return []


@pytest.fixture
def script(scoring_script, heard):
    """The recipe, which keeps what it would score."""
    return scoring_script("gains", lambda original, wave: float(heard.append(wave) or len(heard)))


@pytest.fixture
def emphatic_model(pitched_model, tmp_path):
    """`pitched_model` with a gain."""
    shutil.copytree(pitched_model, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    table = json.loads(path.read_text())
    table["config"]["decoder"]["conditioning_gain"] = GAIN
    path.write_text(json.dumps(table))
    return path.parent


def start(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["gains.py", *map(str, arguments)])
    script.main()


def test_what_is_multiplied_is_heard(
    script, heard, packed_voices, emphatic_model, monkeypatch, capfd
):
    from decoding import Recording, Way, heat
    from shared import codec_of, held_out

    from vqspeech.data.packed import PackedCorpus

    options = ["--utterances", 1, "--jobs", 1, "--heat", 1]
    start(script, monkeypatch, packed_voices, emphatic_model, *options)
    head, _, *rows, blank, last = capfd.readouterr().out.splitlines()
    assert blank == "" and last.startswith("gates are told, by cycles: ")
    assert head.startswith("| times 1.5 | DNSMOS ")
    assert [row.split(" | ")[0].strip("| ") for row in rows] == list(script.PARTS)
    found = dict(zip(script.PARTS, heard, strict=True))
    once, others = found.pop("gates, first cycle"), found.pop("gates, other cycles")
    assert len({wave.tobytes() for wave in found.values()}) == 6, "a row does nothing of its own"
    # The tiny model has one cycle.
    assert (once == found["gates"]).all() and (others == found["nothing"]).all()

    codec = codec_of(str(emphatic_model))
    utterance = next(held_out(PackedCorpus(packed_voices), {}))
    for row, gain in (("nothing", 1.0), ("all that it is told", GAIN)):
        wave = Recording(codec, utterance).heard(Way("", heat("1")._replace(gain=gain), None))
        np.testing.assert_allclose(found[row], wave, atol=1e-4)


def test_the_mean_and_what_differs_from_it_make_up_all(script):
    torch.manual_seed(0)
    hidden, by = torch.randn(7, 5) + 2, torch.full((6,), 3.0)
    mean, told = hidden.mean(0), {}
    for name in ("nothing", "all that it is told", "its mean", "what differs from its mean"):
        torch.manual_seed(1)
        layer = torch.nn.Linear(5, 6)
        script.multiply(layer, by, mean, script.PARTS[name])
        told[name] = layer(hidden).detach()
    plain = told.pop("nothing")
    changed = {name: made - plain for name, made in told.items()}
    torch.manual_seed(1)
    own = hidden @ torch.nn.Linear(5, 6).weight.detach().T
    torch.testing.assert_close(changed["all that it is told"], 2 * own)
    both = changed["its mean"] + changed["what differs from its mean"]
    torch.testing.assert_close(both, changed["all that it is told"])
    assert changed["its mean"].std(0).max() < 1e-5, "a mean is the same in all frames"
    assert changed["what differs from its mean"].mean(0).abs().max() < 1e-5


def test_what_gates_are_told(script, packed_voices, emphatic_model):
    from shared import codec_of, held_out

    from vqspeech.data.packed import PackedCorpus

    codec = codec_of(str(emphatic_model))
    condition, config = codec.model.decoder.condition, codec.config.decoder
    with torch.no_grad():
        condition.weight.zero_()
        tangents, gates = condition.bias.view(config.layers, 2, -1).unbind(1)
        tangents.fill_(9)
        gates.copy_(torch.arange(config.layers)[:, None].expand_as(gates))
    utterances = list(held_out(PackedCorpus(packed_voices), {}))
    found = script.told_to_gates(str(emphatic_model), utterances)
    assert found == [pytest.approx((config.layers - 1) / 2)], "one cycle, of all layers"


def test_halves_and_cycles(script):
    def chosen(name):
        return script.factors(script.PARTS[name], 2.0, 5, 2, 3).view(5, 2, 3)[..., 0].tolist()

    assert chosen("tangents") == [[2, 1]] * 5 and chosen("gates") == [[1, 2]] * 5
    assert chosen("gates, first cycle") == [[1, 2]] * 2 + [[1, 1]] * 3
    assert chosen("gates, other cycles") == [[1, 1]] * 2 + [[1, 2]] * 3
    assert chosen("all that it is told") == [[2, 2]] * 5


def test_a_model_without_a_gain_is_refused(script, packed_voices, pitched_model, monkeypatch):
    with pytest.raises(InputError, match="its conditioning_gain is 1"):
        start(script, monkeypatch, packed_voices, pitched_model)
