"""recipes/base/pulses.py: what the phase of a voice says of it."""

import sys

import numpy as np
import pytest
import torch

from vqspeech.nn.pulses import SHAPE


@pytest.fixture
def script(base_script):
    return base_script("pulses")


def test_pulses_say_more_than_the_track(script, packed_voices, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["pulses.py", str(packed_voices), "--utterances", "2"])
    script.main()
    lines = capfd.readouterr().out.splitlines()
    shares = {
        name: [float(cell) for cell in cells]
        for name, *cells in (line.strip("| ").split(" | ") for line in lines[2:5])
    }
    assert list(shares) == ["F0 track", "fundamental", "pulses"]
    for together, alone in shares.values():
        assert 0 <= together <= alone + 0.1 and alone <= 100
    assert shares["pulses"][0] > shares["F0 track"][0] + 5
    assert "of 2 recordings point down" in lines[6]
    shape = [float(value) for value in lines[7].split(", ")]
    assert len(shape) == len(SHAPE) and np.std(shape, ddof=1) == pytest.approx(1, abs=0.02)


def test_a_mean_is_what_it_was_made_of(script):
    phase = torch.rand(40_000, generator=torch.Generator().manual_seed(0)) * 50
    mean = script.Mean()
    assert mean.add(phase.cos(), phase).share() > 0.98
    mean.add(-phase.cos(), phase)
    assert mean.share() < 0.01
