"""recipes/base/wavenets.py and its temperatures, and the WaveNets that there are files of."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from vqspeech.config.reading import load_preset
from vqspeech.errors import InputError


@pytest.fixture
def script(scoring_script):
    """The recipe, and levels for scores."""
    return scoring_script("wavenets", lambda original, wave: float(np.abs(wave).mean()))


def start(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["wavenets.py", *map(str, arguments)])
    script.main()


def test_a_row_a_model_and_heat(script, packed_voices, pitched_model, monkeypatch, capfd):
    heats = ["--heat", "1", "--heat", "0.8:0.1,0.2,0.3,0.4"]
    start(script, monkeypatch, packed_voices, pitched_model, *heats, "--utterances", 1, "--jobs", 1)
    head, _, warm, cool = capfd.readouterr().out.splitlines()
    assert head.startswith("| | nats | DNSMOS | ESTOI | ")
    assert warm.startswith(f"| {pitched_model}, T 1 | ")
    assert cool.startswith(f"| {pitched_model}, T 0.8, voiced 0.1, 0.2, 0.3, 0.4 | ")
    cells = [[float(cell) for cell in row.split(" | ")[1:-1]] for row in (warm, cool)]
    assert cells[0][0] == cells[1][0], "nats do not hang on what is drawn"
    assert cells[0][1] != cells[1][1], "temperatures are not heard"


def test_without_a_heat_it_is_the_models(script, packed_voices, pitched_model, monkeypatch, capfd):
    start(script, monkeypatch, packed_voices, pitched_model, "--utterances", 1, "--jobs", 1)
    *_, own = capfd.readouterr().out.splitlines()
    start(
        script,
        monkeypatch,
        packed_voices,
        pitched_model,
        "--heat",
        1,
        "--utterances",
        1,
        "--jobs",
        1,
    )
    *_, same = capfd.readouterr().out.splitlines()
    assert own.startswith(f"| {pitched_model} | ") and own.split(" | ")[1:] == same.split(" | ")[1:]


def test_the_committed_files_change_what_their_names_say(base_script):
    folder = base_script("ablations").TOMLS / "wavenet"
    found = {path.stem: load_preset(path) for path in folder.glob("*.toml")}
    assert {"plain", "scaled", "residual", "muon", "periodic", "pulses"} == set(found)
    plain = found["plain"]
    for name, config in found.items():
        assert config.name == name
        parts = {"name": "plain", "decoder": plain.decoder, "training": plain.training}
        assert replace(config, **parts) == plain
        [stage], [usual] = config.training.stages, plain.training.stages
        assert replace(stage, muon=0.0) == usual
        assert bool(stage.muon) == (name in ("muon", "periodic", "pulses"))
        assert bool(config.decoder.long_term) == (name in ("periodic", "pulses"))
        assert config.decoder.pulses == (name == "pulses")
    drawn = {
        name: (config.decoder.scaled, config.decoder.prediction) for name, config in found.items()
    }
    assert drawn["plain"] == (False, 0) and drawn["scaled"] == (True, 0)
    for name in ("residual", "muon", "periodic", "pulses"):
        assert drawn[name] == (True, 8)
    last = replace(found["pulses"].decoder, own_envelope=True)
    assert last == load_preset("base").decoder, "the others are from before that"


def test_the_files_of_envelopes_change_nothing_else(base_script):
    folder = base_script("ablations").TOMLS / "envelope"
    found = {path.stem: load_preset(path) for path in folder.glob("*.toml")}
    assert {"codes", "own", "own-16", "own-24", "own-long"} == set(found)
    longer = found.pop("own-long")
    assert replace(longer, name="own", training=found["own"].training) == found["own"]
    assert longer.training.stage("waveform").steps > found["own"].training.stage("waveform").steps
    for name, config in found.items():
        decoder = config.decoder
        assert (config.name, decoder.own_envelope) == (name, name != "codes")
        assert decoder.prediction == int(name.partition("-")[2] or 8)
        same = replace(decoder, own_envelope=False, prediction=8)
        assert replace(config, name="codes", decoder=same) == found["codes"]


def test_a_heat_for_other_bands_is_refused(
    script, packed_voices, pitched_model, monkeypatch, capfd
):
    for heat, words in (("1:0.5", "1 numbers for 4 bands"), ("3", "temperature = 3.0")):
        with pytest.raises(InputError, match=words):
            start(script, monkeypatch, packed_voices, pitched_model, "--heat", heat)
    assert not capfd.readouterr().out
