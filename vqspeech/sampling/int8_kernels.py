"""The WaveNet step in int8, for several streams at once that share every weight that is read.

All that is not an integer product is done for one stream at a time, by the same code however many
there are: a stream gives the same samples alone, in any batch and on any number of threads.
"""

import numpy as np
from numba import njit

from vqspeech.sampling.elementwise import add_residual, gate, rectify, to_int16
from vqspeech.sampling.maths import FLAGS, LEVELS, draw, full_vectors, largest_magnitude
from vqspeech.sampling.matvec import GROUP, product

ONE = np.float32(1)


@njit(inline="always", **FLAGS)
def padded(size, multiple):
    return (size + multiple - 1) // multiple * multiple


@njit(**FLAGS)
def add_scaled(sums, scale, input_scale, bias, out):
    """out = bias + scaled integer sums."""
    full_vectors()
    for i in range(len(out)):
        out[i] = bias[i] + input_scale * scale[i] * np.float32(sums[i])


@njit(inline="always", **FLAGS)
def copy(source, out):
    """out = source, without the intermediate copy that numba makes of an assigned slice."""
    for i in range(len(out)):
        out[i] = source[i]


@njit(**FLAGS)
def embed(table, previous, drive, x):
    """x [R] = drive [R] + sum over bands of the rows of the previous samples."""
    copy(drive, x)
    for band in range(len(previous)):
        row = table[band, previous[band]]
        for i in range(len(x)):
            x[i] += row[i]


@njit(**FLAGS)
def run(net, states, bias, drive, hold, counts, uniforms, temperatures, forced, out, logits):
    """Sample B streams freely, or with `forced` let them follow given samples.

    states: a NarrowState with a leading axis B. bias: [B, F, L, 2R]. drive: [B, N, R]. counts,
    temperatures [B]: each stream's steps, never rising, and its temperature. uniforms, out:
    [B, N, bands]. forced: out already holds the samples. logits: [B, N or 1, bands * 256]: of every
    step where forced, else work space.
    """
    full_vectors()
    streams, layers = len(counts), len(net.dilations)
    width, channels = net.embedding.shape[2], len(net.skip_bias)
    outputs, bands = len(net.output_bias), out.shape[2]
    gates, residuals = padded(2 * width, GROUP), padded(width, GROUP)
    skips = padded(channels, GROUP)
    x = np.empty((streams, width), np.float32)
    skip = np.empty((streams, channels), np.float32)
    present = np.zeros((streams, width), np.int16)
    past = np.zeros((streams, width), np.int16)
    z = np.zeros((streams, layers * width), np.int16)
    above = np.zeros((streams, channels), np.int16)
    peaks = np.empty(streams, np.float32)
    present_scale = np.empty(streams, np.float32)
    past_scale = np.empty(streams, np.float32)
    widest = max(padded(outputs, GROUP), gates, residuals, skips)
    sums = np.empty((streams, widest), np.int32)
    past_sums = np.empty((streams, gates), np.int32)
    active = streams
    for n in range(out.shape[1]):
        while active and counts[active - 1] <= n:
            active -= 1
        at, offset, frame = 0, 0, n // hold
        for s in range(active):
            embed(net.embedding, states.previous[s], drive[s, n], x[s])
            peaks[s] = largest_magnitude(x[s])
            copy(net.skip_bias, skip[s])
        for layer in range(layers):
            for s in range(active):
                present_scale[s] = to_int16(width, x[s], peaks[s], present[s])
                row = offset + states.cursor[s, layer]
                copy(states.rings[s, row], past[s])
                past_scale[s] = states.ring_scale[s, row]
                copy(present[s], states.rings[s, row])
                states.ring_scale[s, row] = present_scale[s]
                following = states.cursor[s, layer] + 1
                states.cursor[s, layer] = following if following < net.dilations[layer] else 0
            offset += net.dilations[layer]
            at = product(net.weights, at, width, gates, past, active, past_sums)
            at = product(net.weights, at, width, gates, present, active, sums)
            scale, own = net.gate_scale[layer], z[:, layer * width :]
            for s in range(active):
                here, was, now = bias[s, frame, layer], past_scale[s], present_scale[s]
                gate(width, here, past_sums[s], was, sums[s], now, scale, own[s])
            if layer < layers - 1:
                at = product(net.weights, at, width, residuals, own, active, sums)
                scale, shift = net.residual_scale[layer], net.residual_bias[layer]
                for s in range(active):
                    peaks[s] = add_residual(width, sums[s], scale, shift, x[s])
        for first in range(0, layers, net.skip_layers):
            end = min(layers, first + net.skip_layers)
            part = z[:, first * width :]
            at = product(net.weights, at, (end - first) * width, skips, part, active, sums)
            for s in range(active):
                mine = skip[s]
                if end < layers:
                    add_scaled(sums[s], net.skip_scale, ONE, mine, mine)
                else:
                    peaks[s] = rectify(channels, sums[s], net.skip_scale, ONE, mine, mine)
        for s in range(active):
            present_scale[s] = to_int16(channels, skip[s], peaks[s], above[s])
        at = product(net.weights, at, channels, skips, above, active, sums)
        for s in range(active):
            scale, factor, shift = net.hidden_scale, present_scale[s], net.hidden_bias
            peaks[s] = rectify(channels, sums[s], scale, factor, shift, skip[s])
        for s in range(active):
            present_scale[s] = to_int16(channels, skip[s], peaks[s], above[s])
        product(net.weights, at, channels, padded(outputs, GROUP), above, active, sums)
        for s in range(active):
            here, scale, shift = logits[s, n if forced else 0], net.output_scale, net.output_bias
            add_scaled(sums[s], scale, present_scale[s], shift, here)
            for band in range(bands):
                if not forced:
                    mine = here[band * LEVELS : (band + 1) * LEVELS]
                    out[s, n, band] = draw(mine, uniforms[s, n, band], temperatures[s])
                states.previous[s, band] = out[s, n, band]
