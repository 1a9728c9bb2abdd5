"""The level of a stream: its rule, in blocks of any size."""

import numpy as np
import pytest

from vqspeech.audio.following import FRAME, HELD_SECONDS, RecentLevel, followed_blocks
from vqspeech.audio.level import LEVEL_DB, LevelMeter, rms

RATE = 16_000


def speech(seconds, db, seed=0):
    """Noise in bursts of 0.4 s with pauses of 0.1 s, its bursts at `db` re full scale."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    bursts = np.arange(len(noise)) % (RATE // 2) < 0.4 * RATE
    return (10 ** (db / 20) * noise * np.where(bursts, 1, 1e-3)).astype(np.float32)


def followed(wave, sizes=(1000,)):
    """The blocks' sum, cut at sizes in turn."""
    blocks, at, turn = [], 0, 0
    while at < len(wave):
        blocks.append(wave[at : at + sizes[turn % len(sizes)]])
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    return np.concatenate(list(followed_blocks(blocks)))


def level(wave):
    """dB re full scale of the bursts in the last 2 s."""
    last = wave[-2 * RATE :]
    return 20 * np.log10(rms(last[np.abs(last) > 1e-3 * np.abs(last).max()]))


@pytest.mark.parametrize("sizes", [(1,), (320, 7), (1599, 1601, 1), (50_000,)])
def test_blocks_of_any_size(sizes):
    wave = np.concatenate([speech(3, -40), speech(3.017, -20)])
    wave = wave[:8000] if sizes == (1,) else wave
    np.testing.assert_array_equal(followed(wave, sizes), followed(wave, (len(wave),)))
    assert len(followed(wave, sizes)) == len(wave)


@pytest.mark.parametrize("seconds", [0.001, 0.015, 0.5, 1.9])
def test_a_short_stream_has_the_level_of_the_whole(seconds):
    wave, whole = speech(seconds, -50), LevelMeter()
    whole.add(wave)
    np.testing.assert_array_equal(followed(wave), wave * np.float32(whole.gain()))


@pytest.mark.parametrize("db", [-50, -26, -6])
def test_the_first_gain_is_there_at_once(db):
    made = followed(speech(6, db))
    assert abs(level(made[: 2 * RATE]) - LEVEL_DB) < 1.0
    assert abs(level(made) - LEVEL_DB) < 1.0


@pytest.mark.parametrize(("before", "after", "seconds"), [(-46, -26, 12), (-26, -46, 24)])
def test_a_level_that_changes_by_20_db_is_followed_slowly(before, after, seconds):
    changed = np.concatenate([speech(6, before), speech(seconds, after, 1)])
    made = followed(changed)
    assert abs(level(made) - LEVEL_DB) < 1.5
    if after < before:
        soon = level(made[: 8 * RATE])
        assert abs(soon - (LEVEL_DB + after - before)) < 6, "it may be a pause"


def test_a_rising_gain_does_not_jump():
    made = followed(np.concatenate([speech(6, -26), speech(20, -46, 1)]))
    seconds = [level(made[: (6 + s) * RATE]) for s in range(3, 20)]
    assert max(np.diff(seconds)) < 3.0


def test_pauses_keep_the_gain():
    pause = speech(8, -75, 1)
    wave = np.concatenate([speech(6, -30), pause, speech(1, -30, 2)])
    made = followed(wave)
    assert abs(level(made[-RATE:]) - LEVEL_DB) < 1.0
    assert rms(made[7 * RATE : 14 * RATE]) < 2 * 10 ** (-71 / 20)


def test_silence_is_let_through_and_speech_after_it_is_heard_at_once():
    wave = np.concatenate([np.zeros(7 * RATE, np.float32), speech(3, -50)])
    made = followed(wave)
    assert not made[: 7 * RATE].any()
    assert abs(level(made) - LEVEL_DB) < 1.5


def test_the_first_samples_do_not_wait_for_ever():
    given = []

    def silence():
        for _ in range(100):
            given.append(0.1)
            yield np.zeros(RATE // 10, np.float32)

    next(followed_blocks(silence()))
    assert sum(given) <= HELD_SECONDS + 0.2


def test_a_level_is_forgotten_after_a_minute_without_it():
    heard = RecentLevel()
    heard.hear(speech(3, -10)[: 150 * FRAME])
    for _ in range(31):
        heard.hear(speech(2, -74, 1)[: 100 * FRAME])
    heard.hear(speech(2, -60, 2)[: 100 * FRAME])
    assert heard.loud_db < -50
