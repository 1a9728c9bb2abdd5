import inspect
import warnings

import librosa
import numpy as np
import pytest
import torch

from vqspeech.config.rendering import PostFilterConfig
from vqspeech.nn.filter_banks import LogMel
from vqspeech.synthesis.griffin_lim import between_frames, griffin_lim, mel_to_magnitude
from vqspeech.synthesis.postfilter import postfilter


def harmonic(seconds=1.0, pitch=200.0):
    t = np.arange(int(16000 * seconds)) / 16000
    return sum(0.05 / k * np.sin(2 * np.pi * pitch * k * t) for k in range(1, 12)).astype("f4")


def log_mel(wave):
    return LogMel(80)(torch.from_numpy(wave)[None])[0].numpy()


def test_length_and_content():
    wave = harmonic()
    mel = log_mel(wave)
    back = griffin_lim(mel)
    assert back.shape == wave.shape and back.dtype == np.float32
    assert np.abs(log_mel(back) - mel)[:, 5:-5].mean() < 0.5
    assert abs(np.log(np.std(back) / np.std(wave))) < 0.3


def test_same_seed_same_sound():
    mel = log_mel(harmonic(0.3))
    np.testing.assert_array_equal(griffin_lim(mel, 3), griffin_lim(mel, 3))
    assert not np.array_equal(griffin_lim(mel, 3), griffin_lim(mel, 4))


def test_one_frame_and_any_seed():
    assert griffin_lim(np.full((80, 2), -9.0, np.float32), seed=2**40).shape == (320,)


def test_magnitudes_explain_the_mel():
    mel = log_mel(harmonic(0.2))
    filters = LogMel(80).filters.numpy().T
    again = np.log(np.maximum(filters @ mel_to_magnitude(mel), 1e-4))
    loud = mel > -5
    assert np.abs(again - mel)[loud].mean() < 0.2


def test_interpolation_is_exact_for_lines():
    mel = np.tile(np.arange(10, dtype=np.float32), (80, 1))
    inner = between_frames(mel)[:, 2:-2]
    np.testing.assert_allclose(inner, np.broadcast_to(np.arange(1.5, 8), inner.shape))


def test_librosa_1_takes_the_seed_by_another_name(monkeypatch):
    """`random_state` became `rng`: the same numbers, and no warning."""
    shape, own = log_mel(harmonic(0.2)), librosa.griffinlim
    keep = "rng" if "rng" in inspect.signature(own).parameters else "random_state"

    def renamed(magnitude, *, rng, **others):
        return own(magnitude, **others, **{keep: rng})

    before = griffin_lim(shape, 3)
    monkeypatch.setattr(librosa, "griffinlim", renamed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(griffin_lim(shape, 3), before)


@pytest.mark.parametrize("value", [564.0, np.inf, -np.inf, np.nan])
def test_what_no_sound_has_gives_finite_samples(value):
    """As a model may say that has just begun to be trained."""
    mel = log_mel(harmonic(0.3))
    mel[3, 4:9] = value
    assert np.isfinite(griffin_lim(mel)).all()
    assert np.isfinite(postfilter(harmonic(0.3), mel, PostFilterConfig())).all()
