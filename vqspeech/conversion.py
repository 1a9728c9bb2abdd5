"""Voice conversion: the codes of a recording, decoded as somebody else, at the recording's level.

Codes this few do not carry loudness: decoded speech has the codec's one level. So the decoded
blocks wait in a temporary file until their own level is known, and then take the source's.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from vqspeech import audio
from vqspeech.dsp import SAMPLE_RATE
from vqspeech.level import SILENCE_DB, LevelMeter

if TYPE_CHECKING:
    from vqspeech.codec import Codec

LARGEST_GAIN_DB = 30.0
PEAK = 0.99
"""Of full scale: a loud source must not make the result clip."""
BLOCK_SAMPLES = 1 << 16


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


def convert(codec: "Codec", wave: np.ndarray, rate: int, speaker, **options) -> np.ndarray:
    """`Codec.convert`: see there."""
    meter = LevelMeter(rate)
    meter.add(wave)
    blocks = codec.decode_blocks(codec.encode(wave, rate), speaker, **options)
    return np.concatenate(list(at_level_of(meter, blocks)))


def convert_file(
    codec: "Codec",
    source: str | os.PathLike,
    path: str | os.PathLike,
    speaker,
    progress: Callable[[float], None] | None = None,
    **options,
) -> int:
    """`Codec.convert_file`: see there."""
    meter = audio.measure_level(source)
    blocks = codec.decode_blocks(codec.encode_file(source), speaker, **options)
    with audio.Writer(path) as file:
        for block in at_level_of(meter, blocks, progress):
            file.add(block)
    return file.samples
