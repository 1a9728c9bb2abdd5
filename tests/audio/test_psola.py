"""Pitch moved by semitones: by how much, and what stays as it is."""

import numpy as np
import pytest
from tones import vowel

from vqspeech.audio import psola as transpose
from vqspeech.audio.pitch import median_f0
from vqspeech.audio.psola import transposed, transposed_blocks

RATE = 16_000


def noise(samples, level=0.05):
    return (level * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize("step", [-7.0, 5.0])
def test_pitch_moves_and_formants_stay(step):
    wave = vowel(seconds=1.5, pitch=150.0)
    moved = transposed(wave, step)
    assert moved.shape == wave.shape and np.isfinite(moved).all()
    assert 12 * np.log2(median_f0(moved) / median_f0(wave)) == pytest.approx(step, abs=0.6)

    def centre(x):  # of the spectrum below 3 kHz
        power = np.abs(np.fft.rfft(x)) ** 2
        hertz = np.fft.rfftfreq(len(x), 1 / RATE)
        low = hertz < 3000
        return (power[low] * hertz[low]).sum() / power[low].sum()

    assert centre(moved) == pytest.approx(centre(wave), rel=0.2)


def test_long_recordings_are_moved_in_pieces(monkeypatch):
    monkeypatch.setattr(transpose, "PIECE_SECONDS", 0.3)
    wave = vowel(seconds=2.0, pitch=150.0)
    blocks = list(transposed_blocks(np.array_split(wave, 9), 4.0))
    assert len(blocks) > 4 and sum(map(len, blocks)) == len(wave)
    out = np.concatenate(blocks)
    assert 12 * np.log2(median_f0(out) / median_f0(wave)) == pytest.approx(4.0, abs=0.6)
    same = np.concatenate(list(transposed_blocks([wave], 0.0)))
    np.testing.assert_array_equal(same, wave)


@pytest.mark.parametrize("pitch", [110.0, 220.0])
@pytest.mark.parametrize("step", [-9.0, -3.0, 3.0, 9.0])
def test_pitch_moves_by_as_much_as_is_said_and_power_stays(pitch, step):
    wave = vowel(seconds=1.0, pitch=pitch)
    moved = transposed(wave, step)
    assert 12 * np.log2(median_f0(moved) / median_f0(wave)) == pytest.approx(step, abs=0.3)
    assert moved.std() == pytest.approx(wave.std(), rel=0.15)


@pytest.mark.parametrize("samples", [1, 160, 1023, 16_001])
def test_what_has_no_pitch_stays_sample_by_sample(samples):
    for wave in (noise(samples), np.zeros(samples, np.float32)):
        np.testing.assert_allclose(transposed(wave, 5.0), wave, atol=1e-6)


def test_what_lies_beside_a_voice_stays_where_it_was():
    """Half a second of noise, a vowel, noise: a consonant is not smeared."""
    before, after = noise(8000), noise(8000, 0.02)
    wave = np.concatenate([before, vowel(seconds=1.0, pitch=150.0), after])
    moved = transposed(wave, 6.0)
    np.testing.assert_allclose(moved[:7000], wave[:7000], atol=1e-6)
    np.testing.assert_allclose(moved[-7000:], wave[-7000:], atol=1e-6)
    inside = slice(9000, 23_000)
    moved_by = 12 * np.log2(median_f0(moved[inside]) / median_f0(wave[inside]))
    assert moved_by == pytest.approx(6.0, abs=0.3)


def test_moving_by_next_to_nothing_gives_the_recording_back():
    wave = np.concatenate([noise(4000), vowel(seconds=1.0, pitch=130.0)])
    moved = transposed(wave, 1e-6)
    assert np.corrcoef(moved, wave)[0, 1] > 0.999
    assert transposed(wave, 0.0) is wave
