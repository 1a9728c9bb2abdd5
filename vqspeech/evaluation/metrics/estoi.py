"""ESTOI: how well the modulations of speech are kept, as a share of what can be understood."""

import warnings

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.evaluation.extras import require


def estoi(reference: np.ndarray, decoded: np.ndarray) -> float:
    """Extended short-time objective intelligibility (Jensen & Taal 2016), about 0 to 1; pystoi.

    Blind to level. NaN under about 0.4 s of speech (pystoi answers 1e-5 there).
    """
    stoi = require("pystoi").stoi
    if not (is_scorable(reference) and len(decoded) == len(reference)):
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            value = float(stoi(reference, decoded, SAMPLE_RATE, extended=True))
        except RuntimeWarning:  # not enough frames left once silent ones are removed
            return float("nan")
    return value if np.isfinite(value) else float("nan")
