"""One recording made ready for training: high-pass, trim, level, int16."""

import os

import numpy as np

from vqspeech.audio.level import FRAME_SECONDS, SILENCE_DB, LevelMeter, db, frame_powers
from vqspeech.audio.reading import read_blocks
from vqspeech.audio.signal import SAMPLE_RATE, HighPass
from vqspeech.audio.writing import to_int16
from vqspeech.errors import InputError

KEPT_SILENCE_SECONDS = 0.1
MIN_SECONDS = 0.1
PEAK = 0.99

PART_SAMPLES = 60 * SAMPLE_RATE
"""Converted at once, so that a long file is not held several times."""

TRIM_BELOW_LOUD_DB = (45.0, 30.0)
"""Speech begins somewhere between these two below the loud frames, ..."""

TRIM_ABOVE_NOISE_DB = 6.0
"""... this far above the noise (the quietest tenth of frames)."""

TRIM_MEDIAN_FRAMES = 5
"""Frames (20 ms) of a running median, so that a click in the silence is not taken for speech."""


def conditioned(path: str | os.PathLike) -> np.ndarray:
    """A file as int16 [T] at 16 kHz and LEVEL_DB, its outer silence trimmed to 0.1 s.

    Never clipped: the gain is lowered where a peak would exceed 0.99. Raises InputError for an
    unreadable file, for silence and for less than 0.1 s of sound. Memory: 11 MB a minute of audio.
    """
    high_pass, meter, blocks = HighPass(), LevelMeter(), []
    for block in read_blocks(path, quiet=True):
        blocks.append(high_pass(block))
        meter.add(blocks[-1])
    x = np.concatenate(blocks)
    blocks.clear()
    if meter.loud_db < SILENCE_DB:
        raise InputError(f"{path}: is silent; take another recording")
    powers = frame_powers(x, round(SAMPLE_RATE * FRAME_SECONDS))
    start, stop = speech_span(powers, meter.loud_db)
    x = x[start:stop]
    if len(x) < MIN_SECONDS * SAMPLE_RATE:
        raise InputError(f"{path}: is shorter than {MIN_SECONDS} s; take another recording")
    gain = min(meter.gain(), PEAK / max(float(max(x.max(), -x.min())), 1e-9))
    parts = (x[i : i + PART_SAMPLES] for i in range(0, len(x), PART_SAMPLES))
    return np.concatenate([to_int16(part * np.float32(gain))[0] for part in parts])


def speech_span(powers: np.ndarray, loud_db: float) -> tuple[int, int]:
    """(start, stop) in samples of the speech in 20 ms frame powers [N], with 0.1 s to spare.

    `stop` may lie beyond the end. All of it where nothing rises above the noise for long enough.
    """
    frame = round(SAMPLE_RATE * FRAME_SECONDS)
    everything = (0, (len(powers) + 1) * frame)
    if not len(powers):
        return everything
    levels = np.pad(db(powers), TRIM_MEDIAN_FRAMES // 2, mode="edge")
    levels = np.median(np.lib.stride_tricks.sliding_window_view(levels, TRIM_MEDIAN_FRAMES), axis=1)
    noise = np.quantile(levels, 0.1)
    far, near = TRIM_BELOW_LOUD_DB
    threshold = np.clip(noise + TRIM_ABOVE_NOISE_DB, loud_db - far, loud_db - near)
    speech = np.flatnonzero(levels > threshold)
    if not len(speech):
        return everything
    kept = round(KEPT_SILENCE_SECONDS * SAMPLE_RATE)
    stop = (int(speech[-1]) + 1) * frame + kept
    return max(0, int(speech[0]) * frame - kept), stop
