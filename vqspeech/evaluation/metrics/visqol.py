"""ViSQOL in speech mode: similarity of gammatone spectrograms, as a listener's mark."""

import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.evaluation.extras import require


@functools.cache
def _api():
    api = require("visqol").VisqolApi()
    # Named, not left to the package's choice: without its runtime it would fall back to another
    # mapping and give other figures under the same name.
    try:
        api.create(mode="speech", use_lattice_model=True)
    except ImportError:
        require("ai_edge_litert")
        raise
    return api


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Where its kernels run on numba's OpenMP, they leave it, and so PyTorch, a thread a core."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_threads_kept()
def visqol(reference: np.ndarray, decoded: np.ndarray) -> float:
    """ViSQOL MOS-LQO (Chinen et al. 2020, v3, lattice mapping) of two signals [T], 1 to 5.

    Alike in purpose to PESQ, and as blind to what a sampled WaveNet keeps; the original against
    itself gets about 4.7. NaN for silence and for what is shorter than its patches (about 1 s).
    Raises InputError without the package.
    """
    api = _api()
    if not (is_scorable(reference) and is_scorable(decoded)):
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            pair = (signal.astype(np.float64) for signal in (reference, decoded))
            found = float(api.measure_from_arrays(*pair, SAMPLE_RATE).moslqo)
        except (IndexError, ValueError):  # no patch of speech fits into so short a signal
            return float("nan")
    return found if np.isfinite(found) else float("nan")
