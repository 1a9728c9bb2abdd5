"""What the kernels share: mathematics in plain float32 arithmetic that becomes vector code, the
samples that a step begins with and those that it ends with.

`fastmath` allows contraction to fused multiply-adds only, so results are the same every time.
"""

# pyright: reportCallIssue=false
# (An intrinsic is written with a parameter more than it is called with.)

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vqspeech.sampling.compilation import kernel
from vqspeech.sampling.inverse_cdf import BLOCK, find_block

FLAGS = {"fastmath": {"contract"}}
LEVELS = 256
SMALLEST = np.float32(2**-25)
"""Half the step of a uniform float32 random number."""

# tanh(x) / x as a ratio of polynomials in x^2, fitted on [-8, 8] for the least largest relative
# error (2e-9; 3e-7 once computed in float32).
P0, P1, P2, P3 = np.array(
    [9.999999982e-01, 1.312434423e-01, 3.149358472e-03, 1.164237585e-05], np.float32
)
P4, P5, P6 = np.array([-2.231436488e-08, 6.365372105e-11, -1.156382891e-13], np.float32)
Q0, Q1, Q2, Q3 = np.array([1.0, 4.645767573e-01, 2.467497570e-02, 2.612965022e-04], np.float32)
LIMIT, HALF, ONE = np.float32(8.0), np.float32(0.5), np.float32(1.0)

# exp(x) = 2^k exp(r), k = rint(x / ln 2); ln 2 in two parts, so that k ln 2 leaves no error in r.
INVERSE_LN2, LN2_HIGH, LN2_LOW = np.array(
    [1.44269504, 0.693145751953125, 1.42860677e-6], np.float32
)
ROUNDING, MANTISSA = np.float32(1.5 * 2**23), np.int32(23)
"""Adding the first rounds a float32 to a whole number; the second: its bits below the exponent."""
MAGNITUDE = np.int32(0x7FFFFFFF)
"""Every bit of a float32 but its sign."""
LOWEST = np.float32(-87.0)
"""exp(-87) is the smallest normal float32, nearly."""
E2, E3, E4, E5, E6 = (np.float32(1 / c) for c in (2, 6, 24, 120, 720))


@intrinsic
def full_vectors(typing):
    """Has LLVM use vectors of 512 bits in the function that begins with it.

    Left alone it halves them on the processors on which they once cost clock rate; the integer
    products use them anyway.
    """

    def generate(context, builder, signature, arguments):
        # llvmlite's own `add` knows only attributes without a value.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def bits_of(typing, x):
    """The bits of a float32 as an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def float_of(typing, bits):
    """The float32 that has these bits (int32)."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@kernel(inline="always", **FLAGS)
def exp32(x):
    """exp of x <= 0 in float32."""
    x = max(x, LOWEST)
    shifted = x * INVERSE_LN2 + ROUNDING  # k is in its lowest bits
    k = shifted - ROUNDING
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = (((((E6 * r + E5) * r + E4) * r + E3) * r + E2) * r + ONE) * r + ONE
    return float_of(bits_of(p) + np.int32(bits_of(shifted) << MANTISSA))


@kernel(inline="always", **FLAGS)
def ordered(bits):
    """The bits of a float32 to an int32 that is ordered as the floats are, and back."""
    return np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & MAGNITUDE))


@kernel(**FLAGS)
def largest(x):
    """The largest of x [N]; by integers, which vectorise where floats do not, for their NaNs."""
    full_vectors()
    peak = ordered(bits_of(x[0]))
    for k in range(1, len(x)):
        peak = max(peak, ordered(bits_of(x[k])))
    return float_of(ordered(peak))


@kernel(**FLAGS)
def largest_magnitude(x):
    """The largest |x| of x [N]."""
    full_vectors()
    peak = np.int32(0)
    for k in range(len(x)):
        peak = max(peak, np.int32(bits_of(x[k]) & MAGNITUDE))
    return float_of(peak)


@kernel(inline="always", **FLAGS)
def gated32(a, b):
    """tanh(a) sigmoid(b) in float32, with one division."""
    a, b = min(max(a, -LIMIT), LIMIT), min(max(HALF * b, -LIMIT), LIMIT)
    s, t = a * a, b * b
    p = ((((((P6 * s + P5) * s + P4) * s + P3) * s + P2) * s + P1) * s + P0) * a
    q = ((Q3 * s + Q2) * s + Q1) * s + Q0
    u = ((((((P6 * t + P5) * t + P4) * t + P3) * t + P2) * t + P1) * t + P0) * b
    v = ((Q3 * t + Q2) * t + Q1) * t + Q0
    return p * (HALF * (u + v)) / (q * v)


@kernel(inline="always", **FLAGS)
def copy(source, out):
    """out = source, without the intermediate copy that numba makes of an assigned slice."""
    for i in range(len(out)):
        out[i] = source[i]


@kernel(**FLAGS)
def embed(table, previous, inputs, x):
    """x [R] = inputs [R] + sum over bands of the rows of the previous samples."""
    copy(inputs, x)
    for band in range(len(previous)):
        row = table[band, previous[band]]
        for i in range(len(x)):
            x[i] += row[i]


@kernel(**FLAGS)
def draw(logits, uniform, temperature):
    """An index from logits [256] by inverse CDF at `uniform`; temperature 0: the most likely.

    Leaves unnormalised probabilities in `logits`.
    """
    full_vectors()
    if temperature == 0:
        return np.argmax(logits)
    peak = largest(logits)
    scale = ONE / np.float32(temperature)
    for k in range(LEVELS):
        logits[k] = exp32((logits[k] - peak) * scale)
    # At a uniform of 0 the first level with any probability to speak of, not simply the first.
    block, below, target = find_block(logits, max(np.float32(uniform), SMALLEST))
    last = 0
    for k in range(block * BLOCK, (block + 1) * BLOCK):
        below += logits[k]
        if below > target:
            return k
        if logits[k] > 0:
            last = k
    return last  # rounding: the target lies a hair beyond the sum of the last block


@kernel(inline="always", **FLAGS)
def draw_bands(logits, uniforms, temperatures, out):
    """`draw` of every band: logits [bands * 256], uniforms, temperatures and out [bands]."""
    for band in range(len(out)):
        mine = logits[band * LEVELS : (band + 1) * LEVELS]
        out[band] = draw(mine, uniforms[band], temperatures[band])
