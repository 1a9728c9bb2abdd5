"""A trained WaveNet as plain arrays, laid out in the order in which the kernels read them."""

# pyright: reportArgumentType=false
# (PyTorch does not say what kind of layers a ModuleList holds.)

from typing import NamedTuple

import numpy as np
from torch import Tensor

from vqspeech.audio.signal import MU_ZERO
from vqspeech.nn.decoder import SPAN, WaveNetDecoder
from vqspeech.nn.long_term import interpolation


class Float32WaveNet(NamedTuple):
    """Weights, float32, inputs first: row i of a matrix is what input i adds to all outputs.

    embedding [rows, 256, R]: `bands` rows and, of residuals, twice as many more (`nn.decoder`);
    table [256]: what mu-law indices stand for; order: of the prediction; span: SPAN of
    `nn.decoder`; echo [FRACTIONS, 2 REACH], float64: the gain of the long-term prediction times
    `nn.long_term.interpolation`, and longest, the steps of the past that it needs; gates [L, 2R,
    2R]; residual [L, R, R] and residual_bias [L, R] (zero in the last layer); skip [L, R, S] and
    skip_bias [S]; hidden [S, S] and hidden_bias [S]; output [S, bands * 256] and output_bias [bands
    * 256]; dilations [L].
    """

    embedding: np.ndarray
    table: np.ndarray
    order: int
    span: float
    echo: np.ndarray
    longest: int
    gates: np.ndarray
    residual: np.ndarray
    residual_bias: np.ndarray
    skip: np.ndarray
    skip_bias: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray
    dilations: np.ndarray


class Float32State(NamedTuple):
    """Where one stream stands; the kernels change it in place.

    rings [sum of dilations, R]: each layer's last inputs. cursor [L]: the oldest row of each
    layer's ring. heard [rows]: indices, of what was drawn last in each band, and what else a step
    hears. past [bands, order or 1]: the last samples, the last one first. left [longest]: what the
    short-term prediction left of the last samples of the lowest band, over their full scale, the
    last one first, float64.
    """

    rings: np.ndarray
    cursor: np.ndarray
    heard: np.ndarray
    past: np.ndarray
    left: np.ndarray


def _inputs_first(weight: Tensor) -> np.ndarray:
    return np.ascontiguousarray(weight.detach().cpu().float().t().numpy())


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())


def pack_wavenet(decoder: WaveNetDecoder) -> Float32WaveNet:
    """Copy a decoder's weights into kernel order."""
    stack, long_term = decoder.stack, decoder.long_term
    width = stack.residual_channels
    zeros = decoder.embedding.new_zeros
    last = zeros(width, width), zeros(width)
    residual = [(layer.weight, layer.bias) for layer in stack.residual] + [last]
    skip = _inputs_first(stack.skip.weight)
    return Float32WaveNet(
        embedding=_array(decoder.embedding),
        table=_array(decoder.table),
        order=decoder.order,
        span=SPAN,
        echo=(0.0 if long_term is None else long_term.gain) * interpolation(),
        longest=1 if long_term is None else long_term.steps,
        gates=np.stack([_inputs_first(layer.weight) for layer in stack.gates]),
        residual=np.stack([_inputs_first(weight) for weight, _ in residual]),
        residual_bias=np.stack([_array(bias) for _, bias in residual]),
        skip=skip.reshape(len(stack.dilations), width, -1),
        skip_bias=_array(stack.skip.bias),
        hidden=_inputs_first(decoder.hidden.weight),
        hidden_bias=_array(decoder.hidden.bias),
        output=_inputs_first(decoder.output.weight),
        output_bias=_array(decoder.output.bias),
        dilations=np.array(stack.dilations, np.int64),
    )


def new_state(net: Float32WaveNet) -> Float32State:
    """A stream that has seen nothing: silence before its first sample."""
    return Float32State(
        rings=np.zeros((int(net.dilations.sum()), net.gates.shape[1] // 2), np.float32),
        cursor=np.zeros(len(net.dilations), np.int64),
        heard=np.full(len(net.embedding), MU_ZERO, np.int64),
        past=new_past(net),
        left=np.zeros(net.longest),
    )


def new_past(net) -> np.ndarray:
    """The samples [bands, order or 1] before the first one of a `Float32WaveNet` or one like it."""
    bands = len(net.output_bias) // len(net.table)
    return np.zeros((bands, max(1, net.order)), np.float32)
