"""What every backend is asked to do."""

from typing import Any, NamedTuple

import numpy as np


class Work(NamedTuple):
    """What one stream is to do next: N steps over F hidden frames, each for N / F of them.

    state: from the backend's `new_state`, changed in place. conditioning: [F, L, 2R] float32, the
    biases of the gates. inputs: [N, R] float32, added to the stack's input at each step; zeros for
    a decoder without excitation. uniforms: [N, bands] float32 in [0, 1). temperature: 0 to 2.
    """

    state: Any
    conditioning: np.ndarray
    inputs: np.ndarray
    uniforms: np.ndarray
    temperature: float
