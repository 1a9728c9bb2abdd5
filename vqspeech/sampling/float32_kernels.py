"""The WaveNet step as numba kernels: one stream, float32.

Matrix-vector products run input by input over contiguous rows of outputs, which the compiler turns
into full-width multiply-adds; inputs are taken four at a time, so that an output is loaded and
stored once for four of them.
"""

import numpy as np
from numba import njit

from vqspeech.sampling.maths import FLAGS, LEVELS, draw, gated32


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
def step(net, state, bias, drive, x, both, gates, skip, top, logits):
    """One step of the network: reads `state.previous`, fills logits [bands * 256].

    bias: [L, 2R]. drive: [R]. x [R], both [2R], gates [2R], skip [S] and top [S] are work space.
    """
    width = len(x)
    x[:] = drive
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
            both[j] = gated32(gates[j], gates[width + j])
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
def run(net, state, bias, drive, hold, uniforms, temperature, out):
    """Sample freely: bias [F, L, 2R], drive [F * hold, R], uniforms and out [F * hold, bands].

    out: uint8.
    """
    width, channels = net.embedding.shape[2], len(net.skip_bias)
    x = np.empty(width, np.float32)
    both, gates = np.empty(2 * width, np.float32), np.empty(2 * width, np.float32)
    skip, top = np.empty(channels, np.float32), np.empty(channels, np.float32)
    logits = np.empty(len(net.output_bias), np.float32)
    for n in range(len(out)):
        step(net, state, bias[n // hold], drive[n], x, both, gates, skip, top, logits)
        for band in range(out.shape[1]):
            mine = logits[band * LEVELS : (band + 1) * LEVELS]
            index = draw(mine, uniforms[n, band], temperature)
            state.previous[band] = index
            out[n, band] = index


@njit(**FLAGS)
def run_forced(net, state, bias, drive, hold, samples, out):
    """Teacher-forced logits out [N, bands * 256] of given samples [N, bands]."""
    width, channels = net.embedding.shape[2], len(net.skip_bias)
    x = np.empty(width, np.float32)
    both, gates = np.empty(2 * width, np.float32), np.empty(2 * width, np.float32)
    skip, top = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for n in range(len(out)):
        step(net, state, bias[n // hold], drive[n], x, both, gates, skip, top, out[n])
        state.previous[:] = samples[n]
