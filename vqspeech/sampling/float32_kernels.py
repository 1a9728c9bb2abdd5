"""The WaveNet step as numba kernels: one stream, float32.

Matrix-vector products run input by input over contiguous rows of outputs, which the compiler turns
into full-width multiply-adds; inputs are taken four at a time, so that an output is loaded and
stored once for four of them.
"""

from typing import NamedTuple

import numpy as np

from vqspeech.sampling.compilation import kernel
from vqspeech.sampling.maths import FLAGS, draw_bands, embed, gated32
from vqspeech.sampling.prediction import follow, foretell


class Space(NamedTuple):
    """Work space of a step: x [R], both and gates [2R], skip and top [S]."""

    x: np.ndarray
    both: np.ndarray
    gates: np.ndarray
    skip: np.ndarray
    top: np.ndarray


@kernel(inline="always", **FLAGS)
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


@kernel(**FLAGS)
def step(net, state, conditioning, inputs, space, logits):
    """One step of the network: reads `state.heard`, fills logits [bands * 256].

    conditioning: [L, 2R]. inputs: [R].
    """
    x, both, gates, skip, top = space
    width, offset = len(x), 0
    embed(net.embedding, state.heard, inputs, x)
    skip[:] = net.skip_bias
    for layer in range(len(net.dilations)):
        ring = offset + state.cursor[layer]
        offset += net.dilations[layer]
        for j in range(width):
            both[j] = state.rings[ring, j]
            both[width + j] = x[j]
            state.rings[ring, j] = x[j]
        state.cursor[layer] = (state.cursor[layer] + 1) % net.dilations[layer]
        gates[:] = conditioning[layer]
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


@kernel(**FLAGS)
def run(net, work, forced, out, bands, logits):
    """Sample freely, or with `forced` follow the draws that `out` holds.

    work: a `Work`. out: [N, bands] uint8. bands: [N, bands] float32. logits: [N or 1, bands * 256]:
    of every step where forced, else work space.
    """
    width, channels, steps = net.embedding.shape[2], len(net.skip_bias), len(out)
    x, skip = np.empty(width, np.float32), np.empty(channels, np.float32)
    both, gates = np.empty(2 * width, np.float32), np.empty(2 * width, np.float32)
    space = Space(x, both, gates, skip, np.empty_like(skip))
    state, prediction = work.state, np.empty((2, out.shape[1]))
    per_frame = steps // len(work.conditioning)
    per_predictor, per_heat = steps // len(work.full_scale), steps // len(work.temperatures)
    for n in range(steps):
        m = n // per_predictor
        full_scale = work.full_scale[m]
        foretell(net, work.coefficients[m], full_scale, work.lags[m], state, prediction)
        here = logits[n if forced else 0]
        step(net, state, work.conditioning[n // per_frame], work.inputs[n], space, here)
        if not forced:
            draw_bands(here, work.uniforms[n], work.temperatures[n // per_heat], out[n])
        follow(net.table, full_scale, out[n], prediction, state, bands[n])
