"""What a prior must beat: the entropies of simpler models of the same codes."""

import math

import numpy as np

from vqspeech.config.networks import QuantizerConfig
from vqspeech.training.corpus_codes import CorpusCodes

WEIGHTS = np.arange(1, 50) / 50
"""Weights of the bigram beside the unigram that are tried."""


def unigram(rows: np.ndarray, quantizer: QuantizerConfig) -> np.ndarray:
    """p(code) in its codebook, float64 [entries]: how often each row occurs, once more than it
    does."""
    counts = np.bincount(rows, minlength=quantizer.entries) + 1.0
    books = counts.reshape(quantizer.codebooks, -1)
    return (books / books.sum(1, keepdims=True)).ravel()


def pairs(codes: CorpusCodes, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(earlier, later): neighbours within an utterance, of `rows` [N] of the codes."""
    inner = np.ones(len(rows), bool)
    inner[codes.starts] = False
    later = np.flatnonzero(inner)
    return rows[later - 1], rows[later]


def baseline_bits(
    train: CorpusCodes, held_out: CorpusCodes, quantizer: QuantizerConfig
) -> dict[str, float]:
    """Bits per code of `held_out` under the uniform, unigram and bigram models of `train`.

    The bigram is interpolated with the unigram, by the weight that suits `held_out` best: no
    smaller figure can be had of it. An utterance's first code counts as a unigram.
    """
    size, rows = quantizer.entries, train.rows(quantizer)
    single = unigram(rows, quantizer)
    before, after = pairs(train, rows)
    table = np.bincount(before * size + after, minlength=size * size).reshape(size, size)
    table = table / np.maximum(1, table.sum(1, keepdims=True))
    rows = held_out.rows(quantizer)
    before, after = pairs(held_out, rows)
    alone, together = single[after], table[before, after]
    first = -np.log2(single[rows[held_out.starts]]).sum()
    bigram = min(-np.log2(w * together + (1 - w) * alone).sum() for w in WEIGHTS)
    frames = len(rows)
    return {
        "uniform": math.log2(quantizer.codebook_size),
        "unigram": float(-np.log2(single[rows]).sum() / frames),
        "bigram": float((first + bigram) / frames),
    }
