"""What a prior must beat: the entropies of simpler models of the same codes."""

import math

import numpy as np

from vqspeech.training.corpus_codes import CorpusCodes

WEIGHTS = np.arange(1, 50) / 50
"""Weights of the bigram beside the unigram that are tried."""


def unigram(train: CorpusCodes, size: int) -> np.ndarray:
    """p(code) float64 [K]: how often each occurs in `train`, once more than it does."""
    counts = np.bincount(train.indices, minlength=size) + 1.0
    return counts / counts.sum()


def pairs(codes: CorpusCodes) -> tuple[np.ndarray, np.ndarray]:
    """(earlier, later): neighbours within an utterance, int64 [N]."""
    inner = np.ones(len(codes.indices), bool)
    inner[codes.starts] = False
    later = np.flatnonzero(inner)
    return codes.indices[later - 1].astype(np.int64), codes.indices[later].astype(np.int64)


def baseline_bits(train: CorpusCodes, held_out: CorpusCodes, size: int) -> dict[str, float]:
    """Bits per code of `held_out` under the uniform, unigram and bigram models of `train`.

    The bigram is interpolated with the unigram, by the weight that suits `held_out` best: no
    smaller figure can be had of it. An utterance's first code counts as a unigram.
    """
    single = unigram(train, size)
    before, after = pairs(train)
    table = np.bincount(before * size + after, minlength=size * size).reshape(size, size)
    table = table / np.maximum(1, table.sum(1, keepdims=True))
    before, after = pairs(held_out)
    alone, together = single[after], table[before, after]
    first = -np.log2(single[held_out.indices[held_out.starts]]).sum()
    bigram = min(-np.log2(w * together + (1 - w) * alone).sum() for w in WEIGHTS)
    frames = len(held_out.indices)
    return {
        "uniform": math.log2(size),
        "unigram": float(-np.log2(single[held_out.indices]).sum() / frames),
        "bigram": float((first + bigram) / frames),
    }
