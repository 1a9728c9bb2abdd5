"""From what is drawn to samples: each band's prediction, step by step, as kernels.

In float64: whether a prediction rounds to one index or to the next must not hang on the order of a
sum.
"""

import math

import numpy as np

from vqspeech.audio.signal import MU, MU_LEVELS, MU_ZERO
from vqspeech.sampling.compilation import kernel
from vqspeech.sampling.maths import FLAGS

FULL = math.log1p(MU)
BELOW, ABOVE = MU_ZERO, MU_LEVELS - 1 - MU_ZERO
"""Levels below zero and above it."""


@kernel(inline="always", **FLAGS)
def mu_law(x):
    """The index of a sample, full scale 1; as `nn.decoder.mu_law`."""
    if x < 0:
        return MU_ZERO - int(np.rint(math.log1p(MU * min(-x, 1.0)) / FULL * BELOW))
    return MU_ZERO + int(np.rint(math.log1p(MU * min(x, 1.0)) / FULL * ABOVE))


@kernel(inline="always", **FLAGS)
def echo(weights, left, lag):
    """What was left a lag before the next step, by `weights`; as `LongTermPrediction.echoes`."""
    fractions, around = weights.shape
    here, first = weights[lag % fractions], lag // fractions - around // 2
    total = 0.0
    for k in range(around):
        total += here[k] * left[first + k]
    return total


@kernel(**FLAGS)
def foretell(net, coefficients, full_scale, lag, state, prediction):
    """The prediction of the next samples, and what of it the network hears, in `state.heard`.

    coefficients [bands, order], full_scale [bands] and lag: of the step's predictor. prediction [2,
    bands]: by the samples before, and by a period.
    """
    heard, past = state.heard, state.past
    bands, order = coefficients.shape
    for band in range(bands):
        total = 0.0
        for k in range(order):
            total += np.float64(coefficients[band, k]) * np.float64(past[band, k])
        prediction[0, band] = total
        prediction[1, band] = 0.0
        if band == 0 and lag > 0:
            prediction[1, band] = np.float64(full_scale[band]) * echo(net.echo, state.left, lag)
        if len(heard) > bands:
            top = net.span * np.float64(full_scale[band])
            heard[bands + band] = mu_law((total + prediction[1, band]) / top)
            heard[2 * bands + band] = mu_law(np.float64(past[band, 0]) / top)


@kernel(**FLAGS)
def follow(table, full_scale, drawn, prediction, state, out):
    """Go on from what was drawn, indices [bands]: the samples [bands] to `out` and `state`."""
    past, left = state.past, state.left
    for band in range(len(drawn)):
        index = drawn[band]
        x = prediction[0, band] + prediction[1, band]
        x += np.float64(table[index]) * np.float64(full_scale[band])
        x = np.float32(min(max(x, -1.0), 1.0))
        for k in range(past.shape[1] - 1, 0, -1):
            past[band, k] = past[band, k - 1]
        past[band, 0] = x
        if band == 0:
            for k in range(len(left) - 1, 0, -1):
                left[k] = left[k - 1]
            left[0] = (np.float64(x) - prediction[0, band]) / np.float64(full_scale[band])
        out[band] = x
        state.heard[band] = index
