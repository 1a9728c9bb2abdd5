"""Blocks of a recording at any rate to 16 kHz."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from vqspeech.audio.signal import SAMPLE_RATE, resampled_length


def resample_blocks(blocks: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """Blocks of one recording at `rate` Hz to blocks at 16 kHz, float32.

    All together they have exactly `resampled_length(samples, rate)` samples.
    """
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    frames = written = 0
    for block in blocks:
        frames += len(block)
        out = resampler.resample_chunk(block)
        written += len(out)
        if len(out):
            yield out
    # The silence after the end, long enough that the last sample counted by ceil() exists.
    silence = np.zeros(rate // SAMPLE_RATE + 2, np.float32)
    tail = [resampler.resample_chunk(silence), resampler.resample_chunk(silence[:0], last=True)]
    missing = resampled_length(frames, rate) - written
    tail = np.concatenate(tail)[:missing]
    yield np.pad(tail, (0, missing - len(tail)))
