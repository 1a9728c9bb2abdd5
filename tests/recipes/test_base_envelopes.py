"""recipes/base/envelopes.py: how fine a correction of the envelope has to be."""

import sys

import numpy as np
import pytest
import torch


@pytest.fixture
def script(scoring_script):
    """Its score is the largest sample."""
    return scoring_script("envelopes", lambda original, wave: float(np.abs(wave).max()))


def test_a_row_a_way_to_smooth(script, packed_voices, pitched_model, monkeypatch, capfd):
    options = [packed_voices, pitched_model, "--utterances", 1, "--heat", 0.9]
    monkeypatch.setattr(sys, "argv", ["envelopes.py", *map(str, options)])
    script.main()
    head, _, *rows = capfd.readouterr().out.splitlines()
    assert "ESTOI" in head
    cells = [row.strip("| ").split(" | ") for row in rows]
    found = {name: float(first) for name, first, *_ in cells}
    assert list(found) == list(script.WAYS)
    assert found["none"] > 0 and found["as it is"] != found["none"]
    assert len(set(found.values())) > len(found) / 2, "each smooths in its own way"


def test_a_smoothed_gain_keeps_its_mean_and_loses_what_is_fast(script):
    fast = torch.tensor([1.0, -1.0]).repeat(4, 50)
    assert float(script.over_time(2)(3 + fast, fast).sub(3)[:, 10:-10].abs().max()) < 0.01
    assert float(script.over_bands(2)(3 + fast.T, fast).sub(3)[10:-10].abs().max()) < 0.01
    assert torch.allclose(script.over_bands(2)(fast, fast), fast), "bands alike stay as they are"
    loud = torch.tensor([[1.0], [3.0]])
    assert script.a_frame(torch.tensor([[0.0], [4.0]]), loud)[:, 0].tolist() == [3, 3]
