"""recipes/base/bands.py: some bands of a WaveNet, the others the recording's."""

import sys

import numpy as np
import pytest

from vqspeech.errors import InputError


@pytest.fixture
def script(scoring_script):
    """The recipe, and for scores what was changed."""
    return scoring_script("bands", lambda original, wave: float(np.abs(wave - original).mean()))


def start(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["bands.py", *map(str, arguments)])
    script.main()


def test_each_row_changes_the_bands_that_it_names(
    script, packed_voices, pitched_model, monkeypatch, capfd
):
    start(script, monkeypatch, packed_voices, pitched_model, "--utterances", 1, "--heat", 0.9)
    _, _, *rows = capfd.readouterr().out.splitlines()
    cells = [row.strip("| ").split(" | ") for row in rows]
    names, off = [row[0] for row in cells], [float(row[1]) for row in cells]
    assert names[:3] == ["none", "0 to 2", "2 to 4"] and len(names) == 7
    assert names[-2:] == ["2 to 4, 4 to 6, 6 to 8", "0 to 2, 2 to 4, 4 to 6, 6 to 8"]
    assert off[0] < 1e-4, "the filter bank gives the recording back"
    assert min(off[1:]) > 10 * off[0] and len(set(off)) == len(off)


def test_what_has_one_band_is_refused(script, packed_voices, tmp_path, tiny_config, monkeypatch):
    from dataclasses import replace

    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.checkpoint.speakers import Speaker
    from vqspeech.nn.vqvae import VQVAE

    config = replace(tiny_config, decoder=replace(tiny_config.decoder, bands=1))
    save_checkpoint(VQVAE(config, 1), [Speaker("anna")], tmp_path / "full", {"codes": 1})
    with pytest.raises(InputError, match="one band"):
        start(script, monkeypatch, packed_voices, tmp_path / "full")


def test_a_corpus_without_such_utterances_is_refused(
    script, packed_voices, pitched_model, monkeypatch
):
    with pytest.raises(InputError, match="none of its split valid has 2.5 to 5 s"):
        start(script, monkeypatch, packed_voices, pitched_model, "--utterances", 0)
