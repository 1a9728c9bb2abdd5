"""The WaveNet step as numba kernels: one stream, float32.

Matrix-vector products run input by input over contiguous rows of outputs, which the compiler turns
into full-width multiply-adds; inputs are taken four at a time, so that an output is loaded and
stored once for four of them. `fastmath` allows contraction to fused multiply-adds only.
"""

import math

import numpy as np
from numba import njit

FLAGS = {"cache": True, "fastmath": {"contract"}, "error_model": "numpy", "nogil": True}
LEVELS = 256

# tanh(x) / x as a ratio of polynomials in x^2, fitted on [-8, 8] for the least largest relative
# error (2e-9; 3e-7 once computed in float32). Plain arithmetic, so that a loop over channels
# becomes vector code.
P0, P1, P2, P3, P4, P5, P6 = (
    np.float32(p)
    for p in (
        9.999999982e-01,
        1.312434423e-01,
        3.149358472e-03,
        1.164237585e-05,
        -2.231436488e-08,
        6.365372105e-11,
        -1.156382891e-13,
    )
)
Q0, Q1, Q2, Q3 = (np.float32(q) for q in (1.0, 4.645767573e-01, 2.467497570e-02, 2.612965022e-04))
LIMIT, HALF = np.float32(8.0), np.float32(0.5)


@njit(inline="always", **FLAGS)
def tanh32(x):
    """tanh in float32."""
    x = min(max(x, -LIMIT), LIMIT)
    s = x * x
    p = ((((((P6 * s + P5) * s + P4) * s + P3) * s + P2) * s + P1) * s + P0) * x
    return p / (((Q3 * s + Q2) * s + Q1) * s + Q0)


@njit(inline="always", **FLAGS)
def add_product(x, w, out):
    """out [O] += x [I] @ w [I, O]."""
    inputs, outputs = w.shape
    whole = inputs - inputs % 4
    for i in range(0, whole, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        p, q, r, s = w[i], w[i + 1], w[i + 2], w[i + 3]
        for j in range(outputs):
            out[j] += a * p[j] + b * q[j] + (c * r[j] + d * s[j])
    for i in range(whole, inputs):
        a, p = x[i], w[i]
        for j in range(outputs):
            out[j] += a * p[j]


@njit(**FLAGS)
def step(net, state, bias, x, both, gates, skip, top, logits):
    """One step of the network: reads `state.previous`, fills logits [bands * 256].

    bias: [L, 2R]. x [R], both [2R], gates [2R], skip [S] and top [S] are work space.
    """
    width = len(x)
    x[:] = 0
    for band in range(len(state.previous)):
        row = net.embedding[band, state.previous[band]]
        for j in range(width):
            x[j] += row[j]
    skip[:] = net.skip_bias
    for layer in range(len(net.dilations)):
        ring = state.offsets[layer] + state.cursor[layer]
        for j in range(width):
            both[j] = state.rings[ring, j]
            both[width + j] = x[j]
            state.rings[ring, j] = x[j]
        state.cursor[layer] = (state.cursor[layer] + 1) % net.dilations[layer]
        gates[:] = bias[layer]
        add_product(both, net.gates[layer], gates)
        for j in range(width):
            open_ = HALF * tanh32(HALF * gates[width + j]) + HALF
            both[j] = tanh32(gates[j]) * open_
        z = both[:width]
        add_product(z, net.skip[layer], skip)
        for j in range(width):
            x[j] += net.residual_bias[layer, j]
        add_product(z, net.residual[layer], x)
    for j in range(len(skip)):
        skip[j] = max(skip[j], np.float32(0))
    top[:] = net.hidden_bias
    add_product(skip, net.hidden, top)
    for j in range(len(top)):
        top[j] = max(top[j], np.float32(0))
    logits[:] = net.output_bias
    add_product(top, net.output, logits)


@njit(**FLAGS)
def draw(logits, uniform, temperature):
    """An index from logits [256] by inverse CDF at `uniform`; temperature 0: the most likely."""
    best = 0
    for k in range(1, LEVELS):
        if logits[k] > logits[best]:
            best = k
    if temperature == 0:
        return best
    peak, scale, total = logits[best], np.float32(1) / np.float32(temperature), np.float32(0)
    for k in range(LEVELS):
        logits[k] = math.exp((logits[k] - peak) * scale)
        total += logits[k]
    target, below = np.float32(uniform) * total, np.float32(0)
    for k in range(LEVELS):
        below += logits[k]
        if below > target:
            return k
    return best


@njit(**FLAGS)
def run(net, state, bias, hold, uniforms, temperature, out):
    """Sample freely: bias [F, L, 2R], uniforms and out [F * hold, bands] (out uint8)."""
    width, channels = net.embedding.shape[2], len(net.skip_bias)
    x = np.empty(width, np.float32)
    both, gates = np.empty(2 * width, np.float32), np.empty(2 * width, np.float32)
    skip, top = np.empty(channels, np.float32), np.empty(channels, np.float32)
    logits = np.empty(len(net.output_bias), np.float32)
    for n in range(len(out)):
        step(net, state, bias[n // hold], x, both, gates, skip, top, logits)
        for band in range(out.shape[1]):
            mine = logits[band * LEVELS : (band + 1) * LEVELS]
            index = draw(mine, uniforms[n, band], temperature)
            state.previous[band] = index
            out[n, band] = index


@njit(**FLAGS)
def run_forced(net, state, bias, hold, samples, out):
    """Teacher-forced logits out [N, bands * 256] of given samples [N, bands]."""
    width, channels = net.embedding.shape[2], len(net.skip_bias)
    x = np.empty(width, np.float32)
    both, gates = np.empty(2 * width, np.float32), np.empty(2 * width, np.float32)
    skip, top = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for n in range(len(out)):
        step(net, state, bias[n // hold], x, both, gates, skip, top, out[n])
        state.previous[:] = samples[n]
