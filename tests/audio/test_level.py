import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.audio.level import LEVEL_DB, LevelMeter, SpeechMeter, level_gain
from vqspeech.audio.resampling import resample_blocks

RATE = 16_000


def bursts(seconds=4.0, level_db=-20.0, noise_db=-90.0, seed=0):
    """Noise bursts of 0.25 s at `level_db` with gaps of 0.25 s at `noise_db`."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(int(seconds * RATE))
    on = np.arange(len(x)) // (RATE // 4) % 2 == 0
    return (x * np.where(on, 10 ** (level_db / 20), 10 ** (noise_db / 20))).astype(np.float32)


@given(st.integers(0, 2**32), st.lists(st.integers(0, 3000), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_block_sizes_do_not_matter(seed, sizes):
    x = bursts(1.0, seed=seed)
    whole, parts = LevelMeter(), LevelMeter()
    whole.add(x)
    for block in np.split(x, np.minimum(np.cumsum(sizes), len(x))):
        parts.add(block)
    assert parts.gain() == whole.gain()
    assert parts.active_db == whole.active_db


@pytest.mark.parametrize("level_db", [-50, -26, -10, 0])
def test_active_level_ignores_the_pauses(level_db):
    meter = LevelMeter()
    meter.add(bursts(level_db=level_db))
    assert meter.active_db == pytest.approx(level_db, abs=1.0)
    assert 20 * np.log10(meter.gain()) == pytest.approx(LEVEL_DB - level_db, abs=1.0)


def test_nothing_is_raised_by_more_than_30_db():
    assert level_gain(bursts(level_db=-70)) == pytest.approx(10**1.5)
    assert level_gain(bursts(level_db=40)) == pytest.approx(10 ** (-66 / 20), rel=0.1)


def test_a_level_that_speech_has_not_is_remarked_on():
    def remark(x):
        return SpeechMeter([x]).judged()[1]

    for level_db in (-55, -40, -26, -3, 3):
        assert remark(bursts(level_db=level_db)) == ""
    assert "very quiet" in remark(bursts(level_db=-58)) and "30 dB" in remark(bursts(level_db=-70))
    assert "far beyond full scale" in remark(bursts(level_db=5))
    assert "far beyond full scale" in remark(bursts() * np.float32(32768))
    assert "nothing but silence" in remark(bursts(level_db=-85))
    assert "nothing but silence" in remark(bursts() / np.float32(32768) ** 2)
    # Of silence itself, and of what is too short to tell, there is nothing to say.
    assert remark(np.zeros(RATE, np.float32)) == remark(np.zeros(0, np.float32)) == ""
    assert remark(bursts(level_db=-85)[:2000]) == ""
    clicked = bursts()
    clicked[1000] = 1e5
    assert remark(clicked) == ""


@pytest.mark.parametrize(
    "x",
    [
        np.zeros(RATE, np.float32),
        np.zeros(0, np.float32),
        np.ones(1, np.float32),
        np.full(RATE, 0.5, np.float32),
        bursts(level_db=-85),
    ],
    ids=["digital silence", "nothing", "one sample", "offset only", "below -75 dBFS"],
)
def test_silence_is_left_alone(x):
    assert level_gain(x) == 1.0


def test_absurd_values_are_only_very_loud():
    meter = SpeechMeter([bursts() * np.float32(1e38)])
    assert meter.peak > 1e36 and meter.gain() == pytest.approx(1e-7, rel=0.5)


def test_an_offset_does_not_count():
    x = bursts(level_db=-30)
    assert level_gain(x + np.float32(0.3)) == pytest.approx(level_gain(x), rel=0.01)


def test_a_click_does_not_count():
    x = bursts(1.0, level_db=-40)
    clicked = x.copy()
    clicked[8000:8010] = 1.0
    assert level_gain(clicked) == pytest.approx(level_gain(x), rel=0.15)


def test_mostly_silence_is_measured_where_it_speaks():
    x = np.concatenate([bursts(2.0, level_db=-20), bursts(60.0, level_db=-65)])
    meter = LevelMeter()
    meter.add(x)
    assert meter.active_db == pytest.approx(-20, abs=1.0)


def test_less_than_a_frame_is_measured():
    x = 0.5 * np.sin(np.arange(300) * 0.3)
    meter = LevelMeter()
    meter.add(x)
    assert meter.active_db == pytest.approx(10 * np.log10(np.var(x)), abs=0.1)


def test_memory_does_not_grow():
    meter = LevelMeter()
    for _ in range(3):
        meter.add(bursts(10.0))
    assert len(meter._rest) < 320


def loud_tone(hz, rate):
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(4 * rate) / rate).astype(np.float32)


@pytest.mark.parametrize(("hz", "rate"), [(8, 16_000), (17_000, 48_000), (40_000, 192_000)])
def test_what_the_encoder_does_not_hear_does_not_count(hz, rate):
    """Rumble, a screen's whistle, an ultrasonic sensor: all far above the speech."""
    quiet = soxr.resample(bursts(level_db=-40, noise_db=-60), RATE, rate)
    own, both = level_gain(quiet, rate), level_gain(quiet + loud_tone(hz, rate), rate)
    assert own > 5
    assert both == pytest.approx(own, rel=0.1)


def test_samples_beyond_what_a_filter_takes_are_beyond_all_scales():
    wave = np.full(RATE, 3e38, np.float32) * np.sign(bursts(1.0))
    assert SpeechMeter(resample_blocks([wave], 44_100)).peak > 1e37
