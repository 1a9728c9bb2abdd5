"""Recordings at the codec's level: the gain, and the blocks that the encoder is given."""

import math
import os
from collections.abc import Iterable, Iterator

import numpy as np

from vqspeech.arguments import shown
from vqspeech.audio.following import followed_blocks
from vqspeech.audio.level import LARGEST, LevelMeter, level_gain
from vqspeech.audio.signal import HighPass
from vqspeech.errors import InputError, warn_of


def gain_of(meter: LevelMeter, name: str | os.PathLike) -> float:
    """The gain that brings a recording to the codec's level.

    Warns of a level that is not that of speech. Raises InputError for samples on no scale at all.
    """
    if meter.peak > LARGEST:
        raise InputError(f"{name}: has samples of {meter.peak:.3g}; scale them to +-1")
    gain, remark = meter.judged()
    if remark:
        warn_of(f"{name} {remark}")
    return gain


def checked_gain(gain: float) -> float:
    """A linear gain that somebody gave. Raises InputError."""
    if not isinstance(gain, int | float | np.number) or not 0 < gain < math.inf:  # nor NaN
        raise InputError(f"gain {shown(gain)} must be above 0; 1 leaves the level as it is")
    return float(gain)


def levelled(wave: np.ndarray) -> np.ndarray:
    """A recording [T] at 16 kHz as the encoder is given it: float32 [T], without rumble."""
    return np.concatenate(list(levelled_blocks([wave], level_gain(wave))))


def levelled_blocks(blocks: Iterable[np.ndarray], gain: float | None) -> Iterator[np.ndarray]:
    """Blocks of a recording as the encoder is given them: times `gain`, without rumble.

    Empty ones are left out. gain: None to follow the level as it comes (`audio.following`).
    """
    high_pass, blocks = HighPass(), filter(len, blocks)
    if gain is None:
        yield from followed_blocks(map(high_pass, blocks))
        return
    for block in blocks:
        yield high_pass(block * np.float32(gain))
