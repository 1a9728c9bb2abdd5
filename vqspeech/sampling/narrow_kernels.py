"""The WaveNet step in int8, for several streams at once that share every weight that is read.

All that is not an integer product is done for one stream at a time, by the same code however many
there are: a stream gives the same samples alone, in any batch and on any number of threads.
"""

import numpy as np
from numba import njit

from vqspeech.sampling.maths import (
    FLAGS,
    LEVELS,
    draw,
    float_of,
    full_vectors,
    gated16,
    largest_magnitude,
    magnitude,
)
from vqspeech.sampling.products import GROUP, INPUT_MULTIPLE, product

F32 = np.float32  # an int32 times a float32 would be a float64 here
TOP = F32(32_767)


@njit(inline="always", **FLAGS)
def padded(size, multiple):
    return (size + multiple - 1) // multiple * multiple


@njit(inline="always", **FLAGS)
def scaled_to_int16(x, top, out):
    """x [N], of magnitudes up to `top`, to int16 in `out`; returns the scale that takes it back."""
    if top == 0:
        for i in range(len(x)):
            out[i] = 0
        return top
    up = TOP / top
    for i in range(len(x)):
        out[i] = np.int16(np.rint(x[i] * up))
    return top / TOP


@njit(**FLAGS)
def to_int16(x, out):
    """x [N] to int16 in `out`; returns the scale that takes it back."""
    full_vectors()
    return scaled_to_int16(x, largest_magnitude(x), out)


@njit(inline="always", **FLAGS)
def scaled(sums, scale, input_scale, bias, out):
    """out = bias + scaled integer sums."""
    for i in range(len(out)):
        out[i] = bias[i] + input_scale * scale[i] * F32(sums[i])


@njit(**FLAGS)
def gate(bias, past, past_scale, present, present_scale, scale, h, z):
    """z [R] (int16 of -1..1) = tanh(a) sigmoid(b); a, b: work space h [2R], from both inputs."""
    full_vectors()
    width = len(h) // 2
    scaled(past, scale[0], past_scale, bias, h)
    scaled(present, scale[1], present_scale, h, h)
    a, b = h[:width], h[width:]
    for i in range(width):
        z[i] = np.int16(np.rint(TOP * gated16(a[i], b[i])))


@njit(**FLAGS)
def add_residual(sums, scale, bias, x, out):
    """x [R] += what a layer gives it, from integer sums; then `to_int16(x, out)`."""
    full_vectors()
    peak = np.int32(0)
    for i in range(len(x)):
        value = x[i] + (scale[i] * F32(sums[i]) + bias[i])
        x[i] = value
        peak = max(peak, magnitude(value))
    return scaled_to_int16(x, float_of(peak), out)


@njit(inline="always", **FLAGS)
def copy(source, out):
    """out = source, without the intermediate copy that numba makes of an assigned slice."""
    for i in range(len(out)):
        out[i] = source[i]


@njit(**FLAGS)
def relu(x):
    for i in range(len(x)):
        x[i] = max(x[i], np.float32(0))


@njit(**FLAGS)
def embed(table, previous, x):
    """x [R] = sum over bands of the rows of the previous samples."""
    copy(table[0, previous[0]], x)
    for band in range(1, len(previous)):
        row = table[band, previous[band]]
        for i in range(len(x)):
            x[i] += row[i]


@njit(**FLAGS)
def run(net, states, bias, hold, counts, uniforms, temperatures, forced, out, logits):
    """Sample B streams freely, or with `forced` let them follow given samples.

    states: a NarrowState with a leading axis B. bias: [B, F, L, 2R]. counts, temperatures [B]: each
    stream's steps, never rising, and its temperature. uniforms, out: [B, N, bands]. forced: out
    already holds the samples. logits: [B, N or 1, bands * 256]: of every step where forced, else
    work space.
    """
    full_vectors()
    streams, layers = len(counts), len(net.dilations)
    width, channels = net.embedding.shape[2], len(net.skip_bias)
    outputs, bands = len(net.output_bias), out.shape[2]
    inputs, top_inputs = padded(width, INPUT_MULTIPLE), padded(channels, INPUT_MULTIPLE)
    gates, residuals = padded(2 * width, GROUP), padded(width, GROUP)
    skips = padded(channels, GROUP)
    x = np.empty((streams, width), np.float32)
    skip = np.empty((streams, channels), np.float32)
    top = np.empty((streams, channels), np.float32)
    present = np.zeros((streams, inputs), np.int16)
    past = np.zeros((streams, inputs), np.int16)
    z = np.zeros((streams, layers * inputs), np.int16)
    above = np.zeros((streams, top_inputs), np.int16)
    scales = np.empty((streams, 2), np.float32)
    h = np.empty(2 * width, np.float32)
    widest = max(padded(outputs, GROUP), gates, residuals, skips)
    sums = np.empty((streams, widest), np.int32)
    past_sums = np.empty((streams, gates), np.int32)
    active = streams
    for n in range(out.shape[1]):
        while active and counts[active - 1] <= n:
            active -= 1
        at, offset, frame = 0, 0, n // hold
        for s in range(active):
            embed(net.embedding, states.previous[s], x[s])
            scales[s, 1] = to_int16(x[s], present[s])
            copy(net.skip_bias, skip[s])
        for layer in range(layers):
            for s in range(active):
                row = offset + states.cursor[s, layer]
                copy(states.rings[s, row], past[s])
                scales[s, 0] = states.ring_scale[s, row]
                copy(present[s], states.rings[s, row])
                states.ring_scale[s, row] = scales[s, 1]
                following = states.cursor[s, layer] + 1
                states.cursor[s, layer] = following if following < net.dilations[layer] else 0
            offset += net.dilations[layer]
            at = product(net.weights, at, inputs, gates, past, active, past_sums)
            at = product(net.weights, at, inputs, gates, present, active, sums)
            for s in range(active):
                here = bias[s, frame, layer]
                scale = net.gate_scale[layer]
                mine = z[s, layer * inputs : layer * inputs + width]
                gate(here, past_sums[s], scales[s, 0], sums[s], scales[s, 1], scale, h, mine)
            if layer < layers - 1:
                own = z[:, layer * inputs :]
                at = product(net.weights, at, inputs, residuals, own, active, sums)
                for s in range(active):
                    scale, shift = net.residual_scale[layer], net.residual_bias[layer]
                    scales[s, 1] = add_residual(sums[s], scale, shift, x[s], present[s])
        for first in range(0, layers, net.skip_layers):
            end = min(layers, first + net.skip_layers)
            part = z[:, first * inputs :]
            at = product(net.weights, at, (end - first) * inputs, skips, part, active, sums)
            for s in range(active):
                scaled(sums[s], net.skip_scale, F32(1), skip[s], skip[s])
        for s in range(active):
            relu(skip[s])
            scales[s, 0] = to_int16(skip[s], above[s])
        at = product(net.weights, at, top_inputs, skips, above, active, sums)
        for s in range(active):
            scaled(sums[s], net.hidden_scale, scales[s, 0], net.hidden_bias, top[s])
            relu(top[s])
            scales[s, 0] = to_int16(top[s], above[s])
        product(net.weights, at, top_inputs, padded(outputs, GROUP), above, active, sums)
        for s in range(active):
            here = logits[s, n if forced else 0]
            scaled(sums[s], net.output_scale, scales[s, 0], net.output_bias, here)
            for band in range(bands):
                if not forced:
                    mine = here[band * LEVELS : (band + 1) * LEVELS]
                    out[s, n, band] = draw(mine, uniforms[s, n, band], temperatures[s])
                states.previous[s, band] = out[s, n, band]
