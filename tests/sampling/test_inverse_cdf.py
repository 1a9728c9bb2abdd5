import numpy as np
import pytest
from numba import njit

from vqspeech.sampling.inverse_cdf import BLOCK, find_block


@njit
def found(levels, uniform):
    return find_block(levels, np.float32(uniform))


@pytest.mark.parametrize("concentration", [0.0, 1.0, 20.0])
def test_the_block_in_which_the_running_sum_passes_the_target(concentration):
    rng = np.random.default_rng(3)
    levels = np.exp(concentration * rng.standard_normal(BLOCK * BLOCK)).astype(np.float32)
    edges = np.cumsum(levels.reshape(BLOCK, BLOCK).astype(np.float64).sum(1))
    for uniform in rng.random(1000, dtype=np.float32):
        block, below, target = found(levels, uniform)
        assert target == pytest.approx(uniform * edges[-1], rel=1e-6)
        if np.abs(edges / edges[-1] - uniform).min() > 1e-6:  # else rounding may choose either
            assert block == np.searchsorted(edges, target, side="right")
        before = edges[block - 1] if block else 0
        assert below == pytest.approx(before, rel=1e-6, abs=1e-6 * edges[-1])
        assert below <= target


def test_a_target_beyond_the_sum_is_in_the_last_block():
    levels = np.ones(BLOCK * BLOCK, np.float32)
    assert found(levels, 1.0) == (BLOCK - 1, BLOCK * (BLOCK - 1), BLOCK * BLOCK)
    assert found(levels, 2.0)[0] == BLOCK - 1


@pytest.mark.parametrize("block", [0, 7, BLOCK - 1])
def test_all_the_probability_in_one_level(block):
    levels = np.zeros(BLOCK * BLOCK, np.float32)
    levels[block * BLOCK + 5] = 3
    assert found(levels, 0.5) == (block, 0, 1.5)
