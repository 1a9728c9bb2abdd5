"""recipes/prior/generated.py: whose voice generated speech has."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech.errors import InputError
from vqspeech.evaluation.metrics import networks

SCRIPT = Path(__file__).resolve().parents[2] / "recipes" / "prior" / "generated.py"


@pytest.fixture
def similarity(tmp_path, monkeypatch):
    """voice_similarity(...) of the script, where a voice is the sign of its samples."""
    about = importlib.util.spec_from_file_location("generated", SCRIPT)
    module = importlib.util.module_from_spec(about)
    about.loader.exec_module(module)
    signs = {1: np.array([1.0, 0.0]), -1: np.array([0.0, 1.0])}
    monkeypatch.setattr(networks, "voice_embedding", lambda wave: signs[int(np.sign(wave.sum()))])
    for name, level in (("abe", 0.5), ("zoe", -0.5)):
        soundfile.write(tmp_path / f"{name}.wav", np.full(1600, level), 16_000)
    rows = "split\tspeaker\tfile\ntrain\tabe\tabe.wav\ntrain-single\tzoe\tzoe.wav\n"
    (tmp_path / "manifest.tsv").write_text(rows)
    return module.voice_similarity


def test_voices_of_every_split_are_compared_with(similarity, tmp_path):
    waves = [np.full(10, 0.1), np.full(10, -0.1)]
    assert similarity(tmp_path, waves, ["abe", "zoe"], ["abe", "zoe"]) == (1.0, 0.0)
    assert similarity(tmp_path, waves, ["zoe", "abe"], ["abe", "zoe"]) == (0.0, 1.0)


def test_a_voice_without_a_recording_is_named(similarity, tmp_path):
    with pytest.raises(InputError, match="no recording of eve"):
        similarity(tmp_path, [np.ones(10)], ["abe"], ["abe", "eve"])
