"""Synthetic recordings for the tests of the data room: noise bursts between silences."""

import numpy as np
import soundfile

from vqspeech.data.corpus import find_utterances

RATE = 16_000


def voice(seconds=1.0, before=0.5, after=0.5, level=0.1, seed=0, floor=1e-4, rate=RATE):
    """`seconds` of voice-like noise with silence around it (float32)."""
    rng = np.random.default_rng(seed)
    lengths = [round(part * rate) for part in (before, seconds, after)]
    scale = np.repeat([floor, level, floor], lengths)
    return (rng.standard_normal(sum(lengths)) * scale).astype(np.float32)


def corpus(root, counts, seconds=1.0):
    """Speaker folders {speaker: utterances} under `root`, and their utterances."""
    for row, (speaker, count) in enumerate(counts.items()):
        (root / speaker).mkdir(parents=True)
        for i in range(count):
            x = voice(seconds * (1 + 0.1 * i), seed=1000 * row + i)
            soundfile.write(root / speaker / f"{i}.wav", x, RATE)
    return find_utterances(root)
