"""recipes/base/ceilings.py: decoded speech with a part of the recording in its place."""

import sys

import numpy as np
import pytest

pytest.importorskip("pesq")


def correlation(one, other):
    return float(np.corrcoef(one, other)[0, 1])


def test_what_has_more_of_the_recording_is_nearer_to_it(
    scoring_script, packed_voices, pitched_model, monkeypatch, capfd
):
    """By its waveform: the untrained model's samples and log-mel have nothing of it."""
    script = scoring_script("ceilings", correlation)
    options = [packed_voices, pitched_model, "--utterances", 1]
    monkeypatch.setattr(sys, "argv", ["ceilings.py", *map(str, options)])
    script.main()
    head, _, *rows = (line.strip("| ").split(" | ") for line in capfd.readouterr().out.splitlines())
    assert head[-1] == "PESQ"
    near = {name: float(first) for name, first, *_ in rows}
    pesq = {row[0]: float(row[-1]) for row in rows}
    assert list(near) == list(script.ROWS)
    assert near["the recording"] == 1 and pesq["the recording"] > 4.5
    assert near["the recording, gain to the predicted log-mel"] > 0.3 + near["WaveNet alone"]
    true, told = "Griffin-Lim, the recording's log-mel", "Griffin-Lim"
    assert pesq[true] > pesq[told]
