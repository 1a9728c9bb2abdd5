"""recipes/base/entropy.py: bits that range coding would spend on the upper levels."""

import sys

import pytest
import torch

from vqspeech.errors import InputError


@pytest.fixture
def script(base_script):
    return base_script("entropy")


def start(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["entropy.py", *map(str, arguments)])
    script.main()


def test_one_row_a_level(script, packed_voices, levelled_model, monkeypatch, capfd):
    options = ("--minutes", 1, "--steps", 2)
    start(script, monkeypatch, packed_voices, "--model", levelled_model, *options)
    *_, first, second, third = capfd.readouterr().out.splitlines()
    for level, row in enumerate((first, second, third), 2):
        cells = [float(cell) for cell in row.strip("| ").split(" | ")]
        assert cells[:2] == [level, 2.0]
        assert 0 < cells[2] < 3 and 0 < cells[3] < 4
        assert cells[4] == pytest.approx(100 * (1 - min(cells[2:4]) / 2), abs=0.4)


def test_what_has_no_upper_levels_is_refused(script, packed_voices, tiny_model, monkeypatch):
    with pytest.raises(InputError, match="one level of codes"):
        start(script, monkeypatch, packed_voices, "--model", tiny_model)


def test_a_histogram_costs_the_entropy(script):
    codes = torch.tensor([0] * 30_000 + [1] * 10_000 + [2] * 10_000)
    assert script.by_histogram(codes, codes, 3) == pytest.approx(1.371, abs=0.01)


def test_a_network_finds_what_the_levels_below_say(script):
    torch.manual_seed(0)
    seen = torch.randn(4000, 6)
    known = (seen[:, 2] > 0).long() + 2 * (seen[:, 4] > 0).long()
    free = torch.randint(0, 4, (4000,))
    half = slice(0, 3000), slice(3000, None)
    bits = [
        script.by_network(*((seen[part], code[part]) for part in half), entries=4, steps=100)
        for code in (known, free)
    ]
    assert bits[0] < 0.6 and 1.9 < bits[1] < 2.4
