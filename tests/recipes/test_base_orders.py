"""recipes/base/orders.py: what a prediction leaves of each band."""

import sys

import pytest

from vqspeech.errors import InputError


@pytest.fixture
def script(scoring_script):
    return scoring_script("orders", None)


def start(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["orders.py", *map(str, arguments)])
    script.main()


def test_a_higher_order_says_more_of_voices(
    script, packed_voices, pitched_model, monkeypatch, capfd
):
    """From the true log-mel; the untrained model's says nothing."""
    start(script, monkeypatch, packed_voices, pitched_model, "--utterances", 2)
    head, _, *rows = (line.strip("| ").split(" | ") for line in capfd.readouterr().out.splitlines())
    assert len(head) == 9 and [int(row[0]) for row in rows] == list(script.ORDERS)
    true = [float(row[head.index("band 1, true")]) for row in rows]
    predicted = [float(row[head.index("band 1, predicted")]) for row in rows]
    assert true[-1] > true[0] > 3 and max(predicted) < min(true)


def test_what_it_cannot_say_is_refused(script, packed_voices, tiny_model, monkeypatch):
    with pytest.raises(InputError, match="none that this model has"):
        start(script, monkeypatch, packed_voices, tiny_model, "--bitrate", 7)
