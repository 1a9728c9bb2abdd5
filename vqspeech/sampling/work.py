"""What every sampler is asked to do."""

from typing import Any, NamedTuple

import numpy as np


class Work(NamedTuple):
    """What one stream is to do next.

    state: from `new_state`, changed in place. bias: [F, L, 2R] float32. drive: [F * hold, R]
    float32, added to the stack's input at each step; zeros for a decoder without excitation.
    uniforms: [F * hold, bands] float32 in [0, 1). temperature: 0 to 2.
    """

    state: Any
    bias: np.ndarray
    drive: np.ndarray
    uniforms: np.ndarray
    temperature: float
