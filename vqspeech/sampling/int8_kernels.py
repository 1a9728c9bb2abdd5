"""The WaveNet step in int8, for several streams at once that share every weight that is read.

All that is not an integer product is done for one stream at a time, by the same code however many
there are: a stream gives the same samples alone, in any batch and on any number of threads.
"""

# pyright: reportCallIssue=false
# (An intrinsic is written with a parameter more than it is called with.)

from typing import NamedTuple

import numpy as np

from vqspeech.sampling.compilation import kernel
from vqspeech.sampling.elementwise import add_residual, gate, rectify, to_int16
from vqspeech.sampling.int8_weights import Int8State
from vqspeech.sampling.maths import FLAGS, copy, draw_bands, embed, full_vectors, largest_magnitude
from vqspeech.sampling.matvec import GROUP, product
from vqspeech.sampling.prediction import follow, foretell

ONE = np.float32(1)


class Batch(NamedTuple):
    """`Work` of B streams side by side, the longest first.

    state: with a leading axis B. conditioning: [B, F, L, 2R]. inputs: [B, N, R]. coefficients [B,
    M, bands, order], full_scale [B, M, bands] and lags [B, M]. temperatures: [B, P, bands].
    uniforms: [B, N, bands]. counts [B]: each stream's steps.
    """

    state: Int8State
    conditioning: np.ndarray
    inputs: np.ndarray
    coefficients: np.ndarray
    full_scale: np.ndarray
    lags: np.ndarray
    temperatures: np.ndarray
    uniforms: np.ndarray
    counts: np.ndarray


class Past(NamedTuple):
    """What a stream's prediction goes by, of its `Int8State`."""

    heard: np.ndarray
    past: np.ndarray
    left: np.ndarray


class Space(NamedTuple):
    """Work space of a step of B streams: float32 x and skip, int16 that products read, their sums.

    peaks [B]: the largest magnitude of what the next product reads.
    """

    x: np.ndarray
    skip: np.ndarray
    present: np.ndarray
    past: np.ndarray
    z: np.ndarray
    above: np.ndarray
    peaks: np.ndarray
    present_scale: np.ndarray
    past_scale: np.ndarray
    sums: np.ndarray
    past_sums: np.ndarray


@kernel(inline="always", **FLAGS)
def padded(size):
    return (size + GROUP - 1) // GROUP * GROUP


@kernel(**FLAGS)
def add_scaled(sums, scale, input_scale, bias, out):
    """out = bias + scaled integer sums."""
    full_vectors()
    for i in range(len(out)):
        out[i] = bias[i] + input_scale * scale[i] * np.float32(sums[i])


@kernel(**FLAGS)
def new_space(net, streams):
    width, channels = net.embedding.shape[2], len(net.skip_bias)
    widest = max(padded(len(net.output_bias)), padded(2 * width), padded(channels))
    return Space(
        x=np.empty((streams, width), np.float32),
        skip=np.empty((streams, channels), np.float32),
        present=np.zeros((streams, width), np.int16),
        past=np.zeros((streams, width), np.int16),
        z=np.zeros((streams, len(net.dilations) * width), np.int16),
        above=np.zeros((streams, channels), np.int16),
        peaks=np.empty(streams, np.float32),
        present_scale=np.empty(streams, np.float32),
        past_scale=np.empty(streams, np.float32),
        sums=np.empty((streams, widest), np.int32),
        past_sums=np.empty((streams, padded(2 * width)), np.int32),
    )


# Inlined, as a call would count the references to every array of its arguments, at each step.
@kernel(inline="always", **FLAGS)
def run_layers(net, batch, n, active, space):
    """Step n through the layers: `space.x` to all of `space.z`. Returns where the weights go on."""
    state, x, peaks, z = batch.state, space.x, space.peaks, space.z
    present, past, sums, past_sums = space.present, space.past, space.sums, space.past_sums
    present_scale, past_scale = space.present_scale, space.past_scale
    layers, width = len(net.dilations), x.shape[1]
    gates, residuals = (width, padded(2 * width)), (width, padded(width))
    frame = n // (batch.inputs.shape[1] // batch.conditioning.shape[1])
    at, offset = 0, 0
    for layer in range(layers):
        for s in range(active):
            present_scale[s] = to_int16(x[s], peaks[s], present[s])
            row = offset + state.cursor[s, layer]
            copy(state.rings[s, row], past[s])
            past_scale[s] = state.ring_scale[s, row]
            copy(present[s], state.rings[s, row])
            state.ring_scale[s, row] = present_scale[s]
            following = state.cursor[s, layer] + 1
            state.cursor[s, layer] = following if following < net.dilations[layer] else 0
        offset += net.dilations[layer]
        at = product(net.weights, at, gates, past, active, past_sums)
        at = product(net.weights, at, gates, present, active, sums)
        scale, own = net.gate_scale[layer], z[:, layer * width :]
        for s in range(active):
            scales = past_scale[s], present_scale[s]
            gate(batch.conditioning[s, frame, layer], past_sums[s], sums[s], scales, scale, own[s])
        if layer < layers - 1:
            at = product(net.weights, at, residuals, own, active, sums)
            for s in range(active):
                scale, shift = net.residual_scale[layer], net.residual_bias[layer]
                peaks[s] = add_residual(sums[s], scale, shift, x[s])
    return at


@kernel(inline="always", **FLAGS)
def run_head(net, at, active, space):
    """From all of `space.z` to the sums of the logits, over inputs of scale `present_scale`."""
    skip, above, peaks, sums, z = space.skip, space.above, space.peaks, space.sums, space.z
    layers, width, channels = len(net.dilations), space.x.shape[1], skip.shape[1]
    skips = padded(channels)
    for s in range(active):
        copy(net.skip_bias, skip[s])
    for first in range(0, layers, net.skip_layers):
        end = min(layers, first + net.skip_layers)
        shape = (end - first) * width, skips
        at = product(net.weights, at, shape, z[:, first * width :], active, sums)
        for s in range(active):
            mine = skip[s]
            if end < layers:
                add_scaled(sums[s], net.skip_scale, ONE, mine, mine)
            else:
                peaks[s] = rectify(sums[s], net.skip_scale, ONE, mine, mine)
    for s in range(active):
        space.present_scale[s] = to_int16(skip[s], peaks[s], above[s])
    at = product(net.weights, at, (channels, skips), above, active, sums)
    for s in range(active):
        factor = space.present_scale[s]
        peaks[s] = rectify(sums[s], net.hidden_scale, factor, net.hidden_bias, skip[s])
        space.present_scale[s] = to_int16(skip[s], peaks[s], above[s])
    outputs = padded(len(net.output_bias))
    product(net.weights, at, (channels, outputs), above, active, sums)


@kernel(**FLAGS)
def run(net, batch, forced, out, bands, logits):
    """Sample freely, or with `forced` let the streams follow the draws that `out` holds.

    out: [B, N, bands] uint8. bands: [B, N, bands] float32. logits: [B, N or 1, bands * 256]: of
    every step where forced, else work space.
    """
    full_vectors()
    active, state = len(batch.counts), batch.state
    space, prediction = new_space(net, active), np.empty((active, 2, out.shape[2]))
    per_predictor = batch.inputs.shape[1] // batch.full_scale.shape[1]
    per_heat = batch.inputs.shape[1] // batch.temperatures.shape[1]
    for n in range(out.shape[1]):
        m = n // per_predictor
        while active and batch.counts[active - 1] <= n:
            active -= 1
        for s in range(active):
            mine = Past(state.heard[s], state.past[s], state.left[s])
            coefficients, full_scale = batch.coefficients[s, m], batch.full_scale[s, m]
            foretell(net, coefficients, full_scale, batch.lags[s, m], mine, prediction[s])
            embed(net.embedding, mine.heard, batch.inputs[s, n], space.x[s])
            space.peaks[s] = largest_magnitude(space.x[s])
        at = run_layers(net, batch, n, active, space)
        run_head(net, at, active, space)
        for s in range(active):
            here, factor = logits[s, n if forced else 0], space.present_scale[s]
            add_scaled(space.sums[s], net.output_scale, factor, net.output_bias, here)
            if not forced:
                heat = batch.temperatures[s, n // per_heat]
                draw_bands(here, batch.uniforms[s, n], heat, out[s, n])
            mine = Past(state.heard[s], state.past[s], state.left[s])
            follow(net.table, batch.full_scale[s, m], out[s, n], prediction[s], mine, bands[s, n])
