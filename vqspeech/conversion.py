"""Voice conversion: the codes of a recording, decoded as somebody else, at the recording's level.

Codes this few carry pitch, of high voices at least: so the source's is moved to the target's before
it is encoded. They do not carry loudness, decoded speech has the codec's one level: so the decoded
blocks wait in a temporary file until their own level is known, and then take the source's.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from vqspeech import audio
from vqspeech.codes import Codes
from vqspeech.dsp import SAMPLE_RATE
from vqspeech.errors import InputError
from vqspeech.level import SILENCE_DB, LevelMeter, level_gain
from vqspeech.pitch import median_f0
from vqspeech.transpose import transposed_blocks

if TYPE_CHECKING:
    from vqspeech.codec import Codec

LARGEST_GAIN_DB = 30.0
PEAK = 0.99
"""Of full scale: a loud source must not make the result clip."""
BLOCK_SAMPLES = 1 << 16
LARGEST_SEMITONES, SMALLEST_SEMITONES = 14.0, 0.5
"""Pitch is moved no further (a low man to a high woman), and by less it is not worth it."""
PITCH_SECONDS = 60.0
"""Of a recording, from which its median F0 is taken."""


def at_level_of(
    source: LevelMeter,
    blocks: Iterable[np.ndarray],
    progress: Callable[[float], None] | None = None,
) -> Iterator[np.ndarray]:
    """`blocks` of 16 kHz speech (float32 [N] each) with the active-speech level of `source`.

    One gain for all of them, less where a sample would go beyond full scale. They are taken to
    their end (progress: called with the seconds so far) before the first comes out, and memory
    does not grow with their number.
    """
    meter, peak, samples = LevelMeter(), 0.0, 0
    with tempfile.TemporaryFile(prefix="vqspeech-") as spool:
        for block in blocks:
            meter.add(block)
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            spool.write(np.ascontiguousarray(block, np.float32))
            samples += len(block)
            if progress is not None:
                progress(samples / SAMPLE_RATE)
        gain = np.float32(min(_gain(source, meter), PEAK / max(peak, 1e-9)))
        spool.seek(0)
        while data := spool.read(BLOCK_SAMPLES * 4):
            yield np.frombuffer(data, np.float32) * gain


def _gain(source: LevelMeter, decoded: LevelMeter) -> float:
    """Linear gain from the level of `decoded` to that of `source`; silence is never raised."""
    if decoded.loud_db < SILENCE_DB:
        return 1.0
    highest = LARGEST_GAIN_DB if source.loud_db >= SILENCE_DB else 0.0
    step = max(source.active_db, -200.0) - decoded.active_db
    return float(10 ** (min(step, highest) / 20))


def semitones(blocks: Iterable[np.ndarray], pitch: str | float, target: float) -> float:
    """How far the pitch of a recording is to be moved; its first minute tells where it is.

    blocks: at 16 kHz. pitch: as in `Codec.convert`. target: F0 in Hz, 0 if not known. Raises
    InputError.
    """
    if pitch == "keep" or (pitch == "target" and not target):
        return 0.0
    if pitch != "target":
        if isinstance(pitch, str) or not abs(pitch) <= LARGEST_SEMITONES:
            raise InputError(
                f"pitch {pitch!r} must be target, keep, or semitones within +-{LARGEST_SEMITONES:g}"
            )
        return float(pitch)
    heard, samples = [], 0
    for block in blocks:
        heard.append(block)
        samples += len(block)
        if samples >= PITCH_SECONDS * SAMPLE_RATE:
            break
    source = median_f0(np.concatenate(heard)[: round(PITCH_SECONDS * SAMPLE_RATE)])
    step = 12 * np.log2(target / source) if np.isfinite(source) else 0.0
    step = float(np.clip(step, -LARGEST_SEMITONES, LARGEST_SEMITONES))
    return step if abs(step) >= SMALLEST_SEMITONES else 0.0


def encode_moved(codec: "Codec", wave: np.ndarray, step: float) -> Codes:
    """Codes of `wave` (float32 [T] at 16 kHz) with its pitch moved by `step` semitones."""
    return codec.encode_blocks(transposed_blocks([wave], step), level_gain(wave))


def convert(
    codec: "Codec", wave: np.ndarray, rate: int, speaker, pitch: str | float, **options
) -> np.ndarray:
    """`Codec.convert`: see there."""
    wave = np.concatenate(list(audio.resample_blocks([wave], rate)))
    level = LevelMeter()
    level.add(wave)
    step = semitones([wave], pitch, codec.speaker_f0(speaker))
    blocks = codec.decode_blocks(encode_moved(codec, wave, step), speaker, **options)
    return np.concatenate(list(at_level_of(level, blocks)))


def convert_file(
    codec: "Codec",
    source: str | os.PathLike,
    path: str | os.PathLike,
    speaker,
    pitch: str | float = "target",
    progress: Callable[[float], None] | None = None,
    **options,
) -> int:
    """`Codec.convert_file`: see there."""
    level = audio.measure_level(source)
    step = semitones(audio.read_blocks(source, quiet=True), pitch, codec.speaker_f0(speaker))
    moved = transposed_blocks(audio.read_blocks(source), step)
    codes = codec.encode_blocks(moved, level.gain())
    with audio.Writer(path) as file:
        for block in at_level_of(level, codec.decode_blocks(codes, speaker, **options), progress):
            file.add(block)
    return file.samples
