"""Loops that find a machine's limits, compiled."""

import numpy as np
from numba import njit

from vqspeech.sampling.matvec import product


@njit(nogil=True, fastmath=True)  # or the sum would wait for each addition
def read(data, rounds):
    """Read all of `data` (float32 [N]) `rounds` times."""
    total = np.float32(0)
    for _ in range(rounds):
        data[0] = total  # every round differs, so that none can be left out
        for i in range(len(data)):
            total += data[i]
    return total


@njit(nogil=True)
def products(weights, inputs, outputs, x, sums, rounds):
    """One small product `rounds` times."""
    for _ in range(rounds):
        product(weights, 0, (inputs, outputs), x, len(x), sums)
