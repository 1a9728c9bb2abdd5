"""A trained WaveNet in int8: a quarter of the bytes, so that it stays in a core's second cache.

Every output has its own scale, that of the largest of its weights. Inputs are int16: gate outputs
lie in -1..1 and have a fixed scale; residual channels, whose range is free, have one a step.
"""

from typing import NamedTuple

import numpy as np

from vqspeech.audio.signal import MU_ZERO
from vqspeech.errors import InputError
from vqspeech.sampling.elementwise import LANES
from vqspeech.sampling.float32_weights import Float32WaveNet, new_past
from vqspeech.sampling.matvec import LARGEST_INPUTS, pack_int8

LARGEST_INT8, LARGEST_INT16 = 127, 32_767
CACHE_LINE = 64  # bytes


class Int8WaveNet(NamedTuple):
    """What `int8_kernels` read.

    weights: int8, flat, in the order in which a step reads them: each layer's gates from the past
    input and from the present one [R, 2R] and, but for the last, its residual outputs [R, R]; then
    the skip outputs from all layers [L R, S], in pieces that keep their sums within 32 bits; hidden
    [S, S]; output [S, bands * 256]. The scales (float32) take integer sums back to the range of the
    weights: gate_scale [L, 2, 2R], residual_scale [L - 1, R] and skip_scale [S] (over int16 gate
    outputs), hidden_scale [S], output_scale [bands * 256]. skip_layers: layers a piece. The rest is
    as in `Float32WaveNet`.
    """

    embedding: np.ndarray
    table: np.ndarray
    order: int
    span: float
    echo: np.ndarray
    longest: int
    weights: np.ndarray
    gate_scale: np.ndarray
    residual_scale: np.ndarray
    skip_scale: np.ndarray
    hidden_scale: np.ndarray
    output_scale: np.ndarray
    residual_bias: np.ndarray
    skip_bias: np.ndarray
    hidden_bias: np.ndarray
    output_bias: np.ndarray
    dilations: np.ndarray
    skip_layers: int


class Int8State(NamedTuple):
    """Where one stream stands.

    rings [sum of dilations, R padded] int16 and ring_scale [sum of dilations]: each layer's last
    inputs. The rest is as in `Float32State`.
    """

    rings: np.ndarray
    ring_scale: np.ndarray
    cursor: np.ndarray
    heard: np.ndarray
    past: np.ndarray
    left: np.ndarray


def padding(size: int) -> int:
    """Channels of zeros that `elementwise` wants beyond `size`; `matvec` wants no more."""
    return -size % LANES


def padded(array: np.ndarray, *axes: int) -> np.ndarray:
    """The array with zeros at the end of its `axes`; the same array if it needs none."""
    missing = [padding(n) * (i in axes) for i, n in enumerate(array.shape)]
    return np.pad(array, [(0, n) for n in missing]) if any(missing) else array


def padded_gates(array: np.ndarray) -> np.ndarray:
    """[..., 2R] with zeros at the end of each half."""
    halves = array.reshape(*array.shape[:-1], 2, -1)
    return padded(halves, halves.ndim - 1).reshape(*array.shape[:-1], -1)


def padded_net(net: Float32WaveNet) -> Float32WaveNet:
    """The same network with R and S rounded up: channels that are always zero."""
    layers, inputs, outputs = net.gates.shape
    gates = padded_gates(net.gates.reshape(layers, 2, inputs // 2, outputs))
    axes = {"embedding": [2], "residual": [1, 2], "residual_bias": [1], "skip": [1, 2]}
    axes |= {"skip_bias": [0], "hidden": [0, 1], "hidden_bias": [0], "output": [0]}
    return net._replace(
        gates=padded(gates, 2).reshape(layers, -1, gates.shape[-1]),
        **{name: padded(getattr(net, name), *own) for name, own in axes.items()},
    )


def quantise(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 [I, O] to int8 [I, O] and one scale an output [O], float32."""
    scale = np.abs(matrix).max(0) / LARGEST_INT8
    steps = np.rint(matrix / np.where(scale > 0, scale, 1))
    return steps.astype(np.int8), scale.astype(np.float32)


def aligned(array: np.ndarray) -> np.ndarray:
    """The same int8 [N], none of whose vectors lies across two cache lines: a fifth faster."""
    room = np.empty(len(array) + CACHE_LINE, np.int8)
    found = room[-room.ctypes.data % CACHE_LINE :][: len(array)]
    found[:] = array
    return found


def quantise_wavenet(net: Float32WaveNet) -> Int8WaveNet:
    """Quantise a packed decoder. Raises InputError for layers too wide for 32-bit sums."""
    net = padded_net(net)
    layers, width, channels = net.skip.shape
    if max(width, channels) > LARGEST_INPUTS:
        raise InputError(
            f"layers of {max(width, channels)} channels are too wide to be sampled in int8 "
            f"(at most {LARGEST_INPUTS}); sample in float32"
        )
    flat, gate_scale, residual_scale = [], [], []

    def pack(matrix: np.ndarray) -> np.ndarray:
        steps, scale = quantise(matrix)
        flat.append(pack_int8(steps))
        return scale

    for layer in range(layers):
        gates = net.gates[layer]
        gate_scale.append([pack(gates[:width]), pack(gates[width:])])
        if layer < layers - 1:  # the last one's residual output would feed nothing
            residual_scale.append(pack(net.residual[layer]))
    skip, skip_scale = quantise(net.skip.reshape(layers * width, channels))
    skip, together = skip.reshape(net.skip.shape), LARGEST_INPUTS // width
    for first in range(0, layers, together):
        flat.append(pack_int8(skip[first : first + together].reshape(-1, channels)))
    hidden_scale, output_scale = pack(net.hidden), pack(net.output)
    return Int8WaveNet(
        embedding=net.embedding,
        table=net.table,
        order=net.order,
        span=net.span,
        echo=net.echo,
        longest=net.longest,
        weights=aligned(np.concatenate(flat)),
        gate_scale=np.array(gate_scale, np.float32),
        residual_scale=np.array(residual_scale, np.float32).reshape(-1, width)
        / np.float32(LARGEST_INT16),
        skip_scale=skip_scale / np.float32(LARGEST_INT16),
        hidden_scale=hidden_scale,
        output_scale=output_scale,
        residual_bias=net.residual_bias,
        skip_bias=net.skip_bias,
        hidden_bias=net.hidden_bias,
        output_bias=net.output_bias,
        dilations=net.dilations,
        skip_layers=together,
    )


def new_state(net: Int8WaveNet) -> Int8State:
    """A stream that has seen nothing: silence before its first sample."""
    steps, width = int(net.dilations.sum()), net.embedding.shape[2]
    return Int8State(
        rings=np.zeros((steps, width), np.int16),
        ring_scale=np.zeros(steps, np.float32),
        cursor=np.zeros(len(net.dilations), np.int64),
        heard=np.full(len(net.embedding), MU_ZERO, np.int64),
        past=new_past(net),
        left=np.zeros(net.longest),
    )
