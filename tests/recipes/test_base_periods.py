"""recipes/base/periods.py: what a period ago says of a voice."""

import sys

import pytest

from vqspeech.errors import InputError


@pytest.fixture
def script(scoring_script):
    return scoring_script("periods", None)


def start(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["periods.py", *map(str, arguments)])
    script.main()


def test_the_nearest_period_says_more_than_another_voices(
    script, packed_voices, pitched_model, monkeypatch, capfd
):
    """The voices are periodic, and the untrained model knows nothing of their pitch."""
    start(script, monkeypatch, packed_voices, pitched_model, "--utterances", 2)
    *_, row = capfd.readouterr().out.splitlines()
    codes, tracked, nearest, network = (float(cell) for cell in row.strip("| ").split(" | ")[1:])
    assert nearest >= tracked > 2 and tracked > codes + 1
    # It has learned nothing, and has a long-term prediction of its own, of gain 0.7.
    assert network == pytest.approx(nearest, abs=1)


@pytest.mark.parametrize(("gain", "says"), [("0.8", "draws no residuals"), ("1", "--gain 1")])
def test_what_it_cannot_say_is_refused(script, packed_voices, tiny_model, monkeypatch, gain, says):
    with pytest.raises(InputError, match=says):
        start(script, monkeypatch, packed_voices, tiny_model, "--gain", gain)
