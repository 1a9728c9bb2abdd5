"""Integer tables of tanh and of powers of two, the same on every machine.

They are computed with `decimal`, whose exponential is correctly rounded by definition, and not with
the C library's, whose last digits differ from one system to the next.
"""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import lru_cache

import numpy as np

TANH_BITS = 20
"""tanh is a multiple of 2^-20 ..."""
TANH_STEPS = 128
"""... at every 1/128 ..."""
TANH_LIMIT = 8
"""... up to 8, beyond which it is taken for its value there."""
POWER_BITS = 30
POWER_STEPS = 1024
DIGITS = 40


def _rounded(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@lru_cache(maxsize=1)
def tanh_table() -> np.ndarray:
    """round(2^20 tanh(i / 128)) for i = 0 .. 8 * 128 + 1, int64; the last is there twice."""
    with localcontext() as context:
        context.prec = DIGITS
        found = []
        for i in range(TANH_LIMIT * TANH_STEPS + 1):
            square = (Decimal(2 * i) / TANH_STEPS).exp()
            found.append(_rounded(2**TANH_BITS * (square - 1) / (square + 1)))
    return np.array([*found, found[-1]], np.int64)


@lru_cache(maxsize=1)
def power_table() -> np.ndarray:
    """round(2^30 * 2^(-i / 1024)) for i = 0 .. 1024, int64."""
    with localcontext() as context:
        context.prec = DIGITS
        step = Decimal(2).ln() / POWER_STEPS
        found = [_rounded(2**POWER_BITS * (-step * i).exp()) for i in range(POWER_STEPS + 1)]
    return np.array(found, np.int64)
