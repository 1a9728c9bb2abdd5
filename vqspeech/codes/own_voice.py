"""A voice that codes are kept with: a speaker vector in some tens of bytes.

    the first 4 bytes of the fingerprint of the model that knows such vectors; a scale (float16); a
    signed byte a value

What a value loses is at most a 254th of the largest.
"""

import struct
from typing import NamedTuple

import numpy as np

from vqspeech.errors import InputError

SHORT_MODEL = 8
"""Hex digits of a model's fingerprint that go before the values."""
MOST_VALUES = 1024
_FIXED = SHORT_MODEL // 2 + 2
MAX_VOICE_BYTES = _FIXED + MOST_VALUES
_LEVELS = 127
_WRONG = "has a voice that is none"


class OwnVoice(NamedTuple):
    """model: the first 8 hex digits of its fingerprint. vector: float32 [S]."""

    model: str
    vector: np.ndarray


def voice_bytes(model: str, vector: np.ndarray) -> bytes:
    """A vector [S] of the model of that fingerprint, as it is kept. Raises InputError for one of
    too many values, or of too large ones."""
    if not 1 <= len(vector) <= MOST_VALUES:
        raise InputError(f"a voice of {len(vector)} values is too large for a .vqs file")
    if (most := np.abs(vector).max() / _LEVELS) > np.finfo(np.float16).max:
        raise InputError("a voice of values so large is none that a .vqs file can hold")
    scale = np.float16(most)
    steps = np.rint(vector / np.float32(scale)) if scale else np.zeros(len(vector))
    values = np.clip(steps, -_LEVELS, _LEVELS).astype(np.int8)
    return bytes.fromhex(model[:SHORT_MODEL]) + struct.pack("<e", scale) + values.tobytes()


def read_voice(data: bytes) -> OwnVoice:
    """The voice behind `data`. Raises InputError that begins with a verb, for what is none."""
    if not _FIXED < len(data) <= MAX_VOICE_BYTES:
        raise InputError(_WRONG)
    scale = np.frombuffer(data[_FIXED - 2 : _FIXED], "<f2")[0]
    if not 0 <= scale < np.inf:  # nor NaN
        raise InputError(_WRONG)
    vector = np.frombuffer(data[_FIXED:], np.int8).astype(np.float32) * np.float32(scale)
    return OwnVoice(data[: SHORT_MODEL // 2].hex(), vector)
