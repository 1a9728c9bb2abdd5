import numpy as np
import pytest
from numba import njit

from vqspeech.sampling import maths


@njit
def each(function, x, out):
    for i in range(len(x)):
        out[i] = function(x[i])


@njit
def each_pair(function, x, y, out):
    for i in range(len(x)):
        out[i] = function(x[i], y[i])


def applied(function, *x):
    out = np.empty(len(x[0]), np.float32)
    (each if len(x) == 1 else each_pair)(function, *(v.astype(np.float32) for v in x), out)
    return out.astype(np.float64)


def test_exp():
    x = np.linspace(-87, 0, 100_001).astype(np.float32).astype(np.float64)
    assert np.abs(applied(maths.exp32, x) / np.exp(x) - 1).max() < 3e-7
    assert applied(maths.exp32, np.array([0.0]))[0] == 1
    assert 0 < applied(maths.exp32, np.array([-1e30]))[0] < 2e-38


def test_gates():
    a, b = (v.ravel() for v in np.meshgrid(np.linspace(-20, 20, 801), np.linspace(-30, 30, 801)))
    a, b = a.astype(np.float32).astype(np.float64), b.astype(np.float32).astype(np.float64)
    found = applied(maths.gated32, a, b)
    assert np.abs(found - np.tanh(a) / (1 + np.exp(-b))).max() < 1e-6


@pytest.mark.parametrize("size", [1, 7, 64, 256])
def test_largest(size):
    rng = np.random.default_rng(size)
    for shift in (0, -10, 10):
        x = (rng.standard_normal(size) + shift).astype(np.float32)
        assert maths.largest(x) == x.max()
        assert maths.largest_magnitude(x) == np.abs(x).max()
    assert maths.largest_magnitude(np.zeros(size, np.float32)) == 0


def test_draw_is_the_inverse_of_the_distribution():
    rng = np.random.default_rng(0)
    logits = (3 * rng.standard_normal(256)).astype(np.float32)
    p = np.exp(logits.astype(np.float64) / 0.8)
    edges = np.cumsum(p / p.sum())
    for uniform in rng.random(3000, dtype=np.float32):
        found = maths.draw(logits.copy(), uniform, 0.8)
        if np.abs(edges - uniform).min() > 1e-6:  # within rounding of an edge either side will do
            assert found == np.searchsorted(edges, uniform, side="right")


@pytest.mark.parametrize("uniform", [0.0, 0.5, np.float32(1) - np.float32(2**-24)])
def test_draw_at_the_ends(uniform):
    one = np.full(256, -1e4, np.float32)
    for place in (0, 100, 255):
        logits = one.copy()
        logits[place] = 3
        for temperature in (0.0, 1e-3, 1.0):
            assert maths.draw(logits.copy(), np.float32(uniform), temperature) == place
    flat = maths.draw(np.zeros(256, np.float32), np.float32(uniform), 1.0)
    assert flat == min(255, int(uniform * 256))


def test_draw_takes_the_first_of_equals_when_greedy():
    logits = np.zeros(256, np.float32)
    logits[[17, 200]] = 1
    assert maths.draw(logits, np.float32(0.99), 0.0) == 17
