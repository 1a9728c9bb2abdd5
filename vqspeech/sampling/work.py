"""What every backend is asked to do, and what it gives."""

from typing import Any, NamedTuple

import numpy as np


class Work(NamedTuple):
    """What one stream is to do next: N steps over F hidden frames, each for N / F of them.

    state: from the backend's `new_state`, changed in place. conditioning: [F, L, 2R] float32, the
    biases of the gates. inputs: [N, R] float32, added to the stack's input at each step; zeros for
    a decoder without excitation. coefficients [M, bands, order] and full_scale [M, bands], float32,
    and lags [M], int64: the `Predictor` of M frames, each for N / M steps. temperatures: [P, bands]
    float32, from 0 on, each for N / P steps. uniforms: [N, bands] float32 in [0, 1).
    """

    state: Any
    conditioning: np.ndarray
    inputs: np.ndarray
    coefficients: np.ndarray
    full_scale: np.ndarray
    lags: np.ndarray
    temperatures: np.ndarray
    uniforms: np.ndarray


class Drawn(NamedTuple):
    """What a stream gives. indices: [N, bands] uint8, mu-law, of what was drawn. bands: [N, bands]
    float32, the band signals that it makes."""

    indices: np.ndarray
    bands: np.ndarray
