"""The vector code between the products, against numpy."""

import numpy as np
import pytest
from numba import njit

from vqspeech.sampling import elementwise
from vqspeech.sampling.elementwise import LANES


@njit
def run_gate(conditioning, past, present, input_scales, scale, z):
    elementwise.gate(conditioning, past, present, input_scales, scale, z)


@njit
def run_add_residual(sums, scale, bias, x):
    return elementwise.add_residual(sums, scale, bias, x)


@njit
def run_rectify(sums, scale, input_scale, bias, x):
    return elementwise.rectify(sums, scale, input_scale, bias, x)


@njit
def run_to_int16(x, peak, out):
    return elementwise.to_int16(x, peak, out)


def random_row(size, of=1.0):
    rng = np.random.default_rng(size)
    return (of * rng.standard_normal(size)).astype(np.float32)


def random_sums(size, seed=0):
    return np.random.default_rng(seed).integers(-(10**6), 10**6, size).astype(np.int32)


@pytest.mark.parametrize("width", [LANES, 3 * LANES])
def test_gate(width):
    bias, scale = random_row(2 * width, 3), random_row(4 * width, 1e-5)
    past, present = random_sums(2 * width), random_sums(2 * width, 1)
    z = np.full(width + 1, 99, np.int16)
    was, now = np.float32(0.5), np.float32(0.3)
    run_gate(bias, past, present, (was, now), scale, z)
    h = bias + was * scale[: 2 * width] * past.astype(np.float64)
    h = h + now * scale[2 * width :] * present.astype(np.float64)
    expected = np.tanh(h[:width]) / (1 + np.exp(-h[width:]))
    assert np.abs(z[:width] / 32767 - expected).max() < 5e-5
    assert z[width] == 99  # nothing beyond the row


def test_gate_of_every_size_of_input():
    a, b = (v.ravel() for v in np.meshgrid(np.linspace(-20, 20, 512), np.linspace(-30, 30, 512)))
    bias, width = np.concatenate([a, b]).astype(np.float32), len(a)
    nothing, z = np.zeros(2 * width, np.int32), np.empty(width, np.int16)
    zeros, one = np.zeros(4 * width, np.float32), np.float32(1)
    run_gate(bias, nothing, nothing, (one, one), zeros, z)
    expected = np.tanh(bias[:width]) / (1 + np.exp(-bias[width:].astype(np.float64)))
    assert np.abs(z / 32767 - expected).max() < 5e-5
    assert np.abs(z.astype(int)).max() <= 32767
    assert z.min() < -32000  # no sign was lost on the way to 16 bits
    assert z.max() > 32000


@pytest.mark.parametrize("width", [LANES, 5 * LANES])
def test_rows(width):
    sums, scale, bias = random_sums(width), random_row(width, 1e-5), random_row(width)
    row = random_row(width + LANES, 2)
    x, before = row[:width], row.copy()
    peak = run_add_residual(sums, scale, bias, x)
    given = scale * sums.astype(np.float64) + bias
    np.testing.assert_allclose(x, before[:width] + given, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(row[width:], before[width:])
    assert peak == np.abs(x).max()
    peak = run_rectify(sums, scale, np.float32(0.5), bias, x)
    expected = np.maximum(bias + 0.5 * scale * sums.astype(np.float64), 0)
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(row[width:], before[width:])
    assert peak == x.max()
    run_rectify(sums, scale, np.float32(0.5), bias, bias)  # in place
    np.testing.assert_array_equal(bias, x)


def test_to_int16():
    x, out = random_row(4 * LANES, 7), np.empty(4 * LANES, np.int16)
    peak = np.abs(x).max()
    scale = run_to_int16(x, peak, out)
    assert scale == pytest.approx(peak / 32767)
    assert np.abs(out).max() == 32767
    np.testing.assert_array_equal(out, np.rint(x * (np.float32(32767) / peak)))


@pytest.mark.parametrize("size", [0, 1e-38])
def test_a_row_of_next_to_nothing_is_a_row_of_zeros(size):
    x, out = np.full(LANES, size, np.float32), np.ones(LANES, np.int16)
    scale = run_to_int16(x, np.float32(size), out)
    assert 0 < scale < 1e-30
    np.testing.assert_array_equal(out, 0)
