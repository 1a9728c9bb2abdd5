"""recipes/base/decoding.py: temperatures and settings of the post-filter, a row a setting."""

import sys

import numpy as np
import pytest

from vqspeech.errors import InputError

pytest.importorskip("pesq")


def loudness(original, decoded):
    return 20 * float(np.log10(np.sqrt(np.square(decoded).mean()) + 1e-9))


@pytest.fixture
def rows(scoring_script, packed_voices, pitched_model, monkeypatch, capfd):
    """rows(*options): the cells of each row by what it is called, of the script's table."""

    def run(*options):
        script = scoring_script("decoding", loudness)
        monkeypatch.setattr(script, "SECONDS", (1.0, 5.0))
        arguments = [pitched_model, packed_voices, "--utterances", 1, *options]
        monkeypatch.setattr(sys, "argv", ["decoding.py", *map(str, arguments)])
        script.main()
        said = capfd.readouterr().out.splitlines()
        table = [line.strip("| ").split(" | ") for line in said if line.startswith("|")]
        assert table[0][-2:] == ["voicing, %", "PESQ"]
        return {name: dict(zip(table[0], cells, strict=False)) for name, *cells in table[2:]}

    return run


def test_a_row_for_each_setting(rows):
    found = rows("--try", "hush_db=12,hush_level=20", "--heat", "0.5")
    assert list(found) == [
        "Griffin-Lim (preview)",
        "WaveNet + post-filter",
        "WaveNet alone",
        "WaveNet + post-filter, T 0.5",
        "WaveNet alone, T 0.5",
        "hush_db 12, hush_level 20",
    ]
    usual, quieter = (
        float(found[name]["DNSMOS"])
        for name in ("WaveNet + post-filter", "hush_db 12, hush_level 20")
    )
    assert quieter < usual - 6, "the setting is heard"


def test_a_row_for_each_gain(rows):
    found = rows("--gain", "0")
    name = next(name for name in found if name.startswith("WaveNet alone, "))
    assert name.endswith(", gain 0") and "WaveNet + post-filter" + name[13:] in found
    assert found[name] != found["WaveNet alone"], "it is heard"
    with pytest.raises(InputError, match="conditioning_gain"):
        rows("--gain", "-1")


def test_a_rate_that_the_model_does_not_have(rows):
    with pytest.raises(InputError, match="bit/s"):
        rows("--try", "hush_db=1", "--bitrate", 123456)
