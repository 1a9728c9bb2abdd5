"""The prior in integers: the same probabilities on every machine, so that any can decode.

A range decoder must see the very numbers that the encoder saw, and floating point does not promise
them: the order of a sum, a fused multiply-add, another C library's exponential or a flushed
denormal is enough to make rubbish of the rest of a file. So weights and activations are fixed-point
numbers here (units of 2^-14), products add up in 64 bits without overflow, in whatever order, and
tanh and exponential are tables. Sampling uses the same numbers as coding.
"""

from typing import NamedTuple

import numpy as np

from vqspeech.sampling.compilation import kernel
from vqspeech.sampling.fixed_point_tables import POWER_BITS, TANH_BITS, TANH_LIMIT, TANH_STEPS
from vqspeech.sampling.prior_weights import FRACTION, LARGEST

DOUBLE = 2 * FRACTION
"""Bits after the point of a product."""
TOP = TANH_LIMIT << DOUBLE
TANH_SHIFT = DOUBLE - (TANH_STEPS.bit_length() - 1)
HALF = 1 << (FRACTION - 1)

FREQUENCY_BITS = 24
"""The frequencies of all codes add up to 2^24, and each has at least 1."""
LOG2_E = 23637
"""log2(e) in units of 2^-14."""
LOWEST = 40 << DOUBLE
"""A logit this far below the highest is as good as one further below."""
PLAIN = 1 << 16
"""Inverse temperature 1, in units of 2^-16."""


@kernel(inline="always")
def tanh_fixed(x, table):
    """tanh of x (units of 2^-28) in units of 2^-20: a table with straight lines between."""
    size = min(abs(x), TOP)
    i = size >> TANH_SHIFT
    rest = size & ((1 << TANH_SHIFT) - 1)
    value = table[i] + (((table[i + 1] - table[i]) * rest) >> TANH_SHIFT)
    return value if x >= 0 else -value


@kernel(inline="always")
def add_product(x, w, out):
    """out int64 [O] += x int32 [I] @ w int32 [I, O], in units of 2^-28."""
    for i in range(len(x)):
        a, row = np.int64(x[i]), w[i]
        for j in range(len(out)):
            out[j] += a * row[j]


@kernel(inline="always")
def rounded(x):
    """Units of 2^-28 to units of 2^-14, rounded, within the range that sums were sized for."""
    return min(max((x + HALF) >> FRACTION, -LARGEST), LARGEST)


@kernel()
def step(net, state, conditioning, logits):
    """Logits int64 [K] (units of 2^-28) of the code after `state.previous`.

    conditioning: int64 [L, 2R], a speaker's. Moves the layers of `state` on by one code; `observe`
    tells it which.
    """
    width, skip_width = net.embedding.shape[1], len(net.skip_bias)
    x, z = np.empty(width, np.int32), np.empty(width, np.int32)
    x[:] = net.embedding[state.previous[0]]
    gates, wide = np.empty(2 * width, np.int64), np.empty(width, np.int64)
    skip, offset = net.skip_bias.copy(), 0
    for layer in range(len(net.dilations)):
        ring = offset + state.cursor[layer]
        offset += net.dilations[layer]
        gates[:] = conditioning[layer]
        add_product(state.rings[ring], net.gates[layer, :width], gates)
        add_product(x, net.gates[layer, width:], gates)
        state.rings[ring] = x
        state.cursor[layer] = (state.cursor[layer] + 1) % net.dilations[layer]
        for j in range(width):
            a = tanh_fixed(gates[j], net.tanh)
            # sigmoid(b) = (1 + tanh(b / 2)) / 2; the halving is in the shift.
            b = (1 << TANH_BITS) + tanh_fixed(gates[width + j] >> 1, net.tanh)
            z[j] = (a * b + (1 << (2 * TANH_BITS - FRACTION))) >> (2 * TANH_BITS + 1 - FRACTION)
        add_product(z, net.skip[layer], skip)
        wide[:] = net.residual_bias[layer]
        add_product(z, net.residual[layer], wide)
        for j in range(width):
            x[j] = min(max(x[j] + rounded(wide[j]), -LARGEST), LARGEST)
    low, top = np.empty(skip_width, np.int32), net.hidden_bias.copy()
    for j in range(skip_width):
        low[j] = max(rounded(skip[j]), 0)
    add_product(low, net.hidden, top)
    for j in range(skip_width):
        low[j] = max(rounded(top[j]), 0)
    logits[:] = net.output_bias[state.codebook[0]]
    add_product(low, net.output[state.codebook[0]], logits)


@kernel(inline="always")
def observe(net, state, code):
    """What code the last `step` was about."""
    codebooks, codes = net.output_bias.shape
    state.previous[0] = code + state.codebook[0] * codes
    state.codebook[0] = (state.codebook[0] + 1) % codebooks


@kernel()
def frequencies(logits, inverse, power, out):
    """Softmax: logits int64 [K] to out int64 [K], at least 1 each, 2^24 in all.

    inverse: 1 / temperature in units of 2^-16. power: the table of powers of two.
    """
    best, total = np.argmax(logits), np.int64(0)
    for k in range(len(logits)):
        below = min(logits[best] - logits[k], LOWEST)
        below = min((below * inverse) >> 16, LOWEST)
        exponent = below * LOG2_E  # base 2, units of 2^-42
        i, rest = (exponent >> 32) & 1023, (exponent >> 12) & ((1 << 20) - 1)
        value = power[i] - (((power[i] - power[i + 1]) * rest) >> 20)
        out[k] = value >> min(exponent >> 42, POWER_BITS + 1)
        total += out[k]
    room = (1 << FREQUENCY_BITS) - len(logits)
    left = np.int64(1 << FREQUENCY_BITS)
    for k in range(len(logits)):
        out[k] = 1 + (out[k] * room) // total
        left -= out[k]
    out[best] += left


@kernel()
def force(net, state, conditioning, codes, out):
    """Frequencies out int64 [F, K] of each of the given codes [F]; used where none are coded."""
    logits = np.empty(net.output_bias.shape[1], np.int64)
    for n in range(len(codes)):
        step(net, state, conditioning, logits)
        frequencies(logits, PLAIN, net.power, out[n])
        observe(net, state, codes[n])


@kernel()
def nucleus(found, kept):
    """Keep the likeliest codes of frequencies `found` int64 [K] that reach `kept` in all.

    The others become 0 (top-p: Holtzman et al. 2020). Returns the sum of what is left.
    """
    order = np.argsort(-found, kind="mergesort")
    total = np.int64(0)
    for n in range(len(order)):
        if total >= kept:
            found[order[n]] = 0
        total += found[order[n]]
    return total


class Drawing(NamedTuple):
    """How codes are drawn.

    inverse: 1 / temperature in units of 2^-16, 0 for the likeliest code. kept: of 2^24, how much of
    the probability the likeliest codes must reach before the others are left out.
    """

    inverse: int
    kept: int


@kernel()
def sample(net, state, conditioning, drawing, randoms, out):
    """Draw codes out [F]: one for each of `randoms` int64 [F] in 0 .. 2^31 - 1."""
    codes, (inverse, kept) = net.output_bias.shape[1], drawing
    logits, found = np.empty(codes, np.int64), np.empty(codes, np.int64)
    for n in range(len(out)):
        step(net, state, conditioning, logits)
        frequencies(logits, inverse if inverse else PLAIN, net.power, found)
        choice = np.argmax(found) if inverse == 0 else 0
        if inverse:
            target = (randoms[n] * nucleus(found, kept)) >> 31
            while target >= found[choice]:
                target -= found[choice]
                choice += 1
        out[n] = choice
        observe(net, state, choice)
