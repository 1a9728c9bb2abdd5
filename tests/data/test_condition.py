import numpy as np
import pytest
import soundfile
from voices import RATE, voice

from vqspeech.audio.level import LEVEL_DB, LevelMeter
from vqspeech.data.condition import conditioned, speech_span
from vqspeech.errors import InputError


def condition(tmp_path, x, rate=RATE):
    path = tmp_path / "in.wav"
    soundfile.write(path, x, rate, "FLOAT")
    return conditioned(path)


def active_db(pcm):
    meter = LevelMeter()
    meter.add(pcm / np.float32(32767))
    return meter.active_db


@pytest.mark.parametrize("level", [0.005, 0.1, 0.3])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_level_and_trim(tmp_path, level, rate):
    pcm = condition(tmp_path, voice(2.0, 1.0, 0.7, level, floor=level / 1000, rate=rate), rate)
    assert pcm.dtype == np.int16
    assert active_db(pcm) == pytest.approx(LEVEL_DB, abs=1.0)
    assert len(pcm) / RATE == pytest.approx(2.2, abs=0.06)


def test_quiet_edges_of_speech_stay(tmp_path):
    """An onset 28 dB below the loud part is speech, also above noise."""
    x = np.concatenate([voice(0.3, 1.0, 0, 0.004, floor=1e-5), voice(1.0, 0, 1.0, floor=1e-5)])
    assert len(condition(tmp_path, x)) / RATE == pytest.approx(1.5, abs=0.06)


def test_trim_in_noise_and_with_a_click(tmp_path):
    x = voice(2.0, 1.0, 1.0, 0.1, floor=0.001)
    x[3000:3010] = 0.5
    assert len(condition(tmp_path, x)) / RATE == pytest.approx(2.2, abs=0.06)


def test_steady_sound_is_not_trimmed(tmp_path):
    assert len(condition(tmp_path, voice(2.0, 0, 0))) == 2 * RATE


def test_offset_and_rumble_are_removed(tmp_path):
    x = voice(2.0, 0, 0, 0.05)
    rumble = 0.3 + 0.3 * np.sin(2 * np.pi * 4 * np.arange(len(x)) / RATE)
    pcm = condition(tmp_path, (x + rumble).astype(np.float32))[RATE // 2 :]
    assert abs(pcm.mean()) < 10
    spectrum = np.abs(np.fft.rfft(pcm)) ** 2
    low = np.arange(len(spectrum)) * RATE / len(pcm) < 20
    assert spectrum[low].sum() < 0.05 * spectrum.sum()


def test_peaks_lower_the_gain_and_never_clip(tmp_path):
    x = voice(2.0, 0, 0, 0.001)
    x[RATE] = 0.9
    pcm = condition(tmp_path, x)
    assert np.abs(pcm).max() == pytest.approx(0.99 * 32767, abs=1)
    assert active_db(pcm) < LEVEL_DB


@pytest.mark.parametrize("samples", [1, 100, RATE])
def test_silence_is_refused(tmp_path, samples):
    with pytest.raises(InputError, match="silent"):
        condition(tmp_path, np.zeros(samples, np.float32))


def test_too_short_is_refused(tmp_path):
    with pytest.raises(InputError, match="shorter than"):
        condition(tmp_path, voice(0.05, 0, 0))


def test_span_of_few_frames():
    assert speech_span(np.ones(3), 0.0) == (0, 960 + 1600)
    assert speech_span(np.ones(0), 0.0) == (0, 320)
