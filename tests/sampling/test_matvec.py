import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.sampling.matvec import (
    GROUP,
    INPUT_MULTIPLE,
    LARGEST_INPUTS,
    pack_int8,
    product,
)


def multiply(matrix, x, start=0):
    """x @ matrix by the kernel, in int32."""
    inputs, outputs = (
        -(-n // m) * m for n, m in zip(matrix.shape, (INPUT_MULTIPLE, GROUP), strict=True)
    )
    weights = np.concatenate([np.ones(start, np.int8), pack_int8(matrix)])
    padded = np.full((len(x), inputs + 3), 99, np.int16)  # wider than it is read
    padded[:, :inputs] = 0
    padded[:, : x.shape[1]] = x
    sums = np.full((len(x), outputs + 5), -1, np.int32)
    assert product(weights, start, (inputs, outputs), padded, len(x), sums) == len(weights)
    assert (sums[:, outputs:] == -1).all()
    return sums[:, : matrix.shape[1]]


@given(
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 150),
    streams=st.integers(1, 9),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_product_is_exact(inputs, outputs, streams, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-127, 128, (inputs, outputs)).astype(np.int8)
    x = rng.integers(-32767, 32768, (streams, inputs)).astype(np.int16)
    np.testing.assert_array_equal(
        multiply(matrix, x, start=seed), x.astype(np.int64) @ matrix.astype(np.int64)
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_sum_fits(sign):
    matrix = np.full((LARGEST_INPUTS, 1), 127 * sign, np.int8)
    x = np.full((3, LARGEST_INPUTS), 32767, np.int16)
    assert (multiply(matrix, x) == sign * 127 * 32767 * LARGEST_INPUTS).all()
