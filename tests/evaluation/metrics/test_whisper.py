import os

import numpy as np
import pytest
import soundfile

from vqspeech.errors import InputError
from vqspeech.evaluation.metrics import whisper as under_test

WEIGHTS = os.environ.get("VQSPEECH_WHISPER", "")
"""Folder of a real model, in CTranslate2's format."""


def test_one_model_a_process_and_nothing_left_to_chance(whisper, voice):
    whisper.says = lambda samples: "Mr. Yes, NO 5!"
    for _ in range(2):
        assert under_test.recognise(voice, whisper.folder) == ["mister", "yes", "no"]
    [(folder, how)] = whisper.loaded
    assert folder == whisper.folder and how["device"] == "cpu"
    for how in whisper.asked:
        assert how["temperature"] == 0.0, "one temperature: nothing to fall back to"
        assert how["beam_size"] == 1 and not how["condition_on_previous_text"]


@pytest.mark.parametrize("seconds, most", [(0.5, 21), (10.0, 116), (30.0, 316), (300.0, 316)])
def test_what_it_may_write_has_an_end(whisper, seconds, most):
    noise = np.random.default_rng(0).standard_normal(round(16_000 * seconds)).astype(np.float32)
    under_test.recognise(0.1 * noise, whisper.folder)
    [how] = whisper.asked
    assert how["max_new_tokens"] == most


@pytest.mark.parametrize("samples", [0, 1, 3999, 16_000])
def test_nothing_is_heard_in_silence(whisper, samples):
    assert under_test.recognise(np.zeros(samples, np.float32), whisper.folder) == []
    assert whisper.asked == []


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, OSError, Exception])
def test_damaged_models_are_refused(whisper, monkeypatch, kind):
    def broken(folder, **how):
        raise kind("unexpected\nend")

    monkeypatch.setattr("faster_whisper.WhisperModel", broken)
    with pytest.raises(InputError, match="cannot be loaded.*unexpected end") as found:
        under_test.check(whisper.folder)
    assert str(found.value).startswith(whisper.folder)


@pytest.fixture
def damaged(tmp_path):
    """A folder whose weights are no weights, for the real package."""
    (tmp_path / "model.bin").write_bytes(b"not a model" * 9)
    under_test._model.cache_clear()
    return str(tmp_path)


def test_the_real_package_refuses_what_is_no_model(damaged):
    with pytest.raises(InputError, match="cannot be loaded as a Whisper model"):
        under_test.check(damaged)


@pytest.mark.skipif(not WEIGHTS, reason="VQSPEECH_WHISPER names no folder with Whisper's weights")
def test_the_real_model_hears_a_sentence(request):
    path = request.config.rootpath / "egs" / "sentence.flac"
    wave, _ = soundfile.read(path, dtype="float32")
    heard = under_test.recognise(wave, WEIGHTS)
    assert len(heard) > 3 and heard == under_test.recognise(wave, WEIGHTS)
