"""A trained prior as integer arrays, laid out in the order in which `fixed_point` reads them."""

# pyright: reportArgumentType=false
# (PyTorch does not say what kind of layers a ModuleList holds.)

from typing import NamedTuple

import numpy as np
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.nn.prior import Prior
from vqspeech.sampling.fixed_point_tables import power_table, tanh_table

FRACTION = 14
"""Bits after the point of weights and activations."""
LARGEST = 1 << 21
"""Largest activation: 128, in units of 2^-14. With weights below 64 and at most MAX_INPUTS of them
a sum stays below 2^53, so 64 bits never overflow."""
LARGEST_WEIGHT = 64.0
LARGEST_BIAS = 2.0**20
MAX_INPUTS = 1 << 12


class PackedPrior(NamedTuple):
    """Fixed-point weights, inputs first: row i of a matrix is what input i adds to all outputs.

    In units of 2^-14, int32: embedding [P * K + 2, R] of P codebooks; gates [L, 2R, 2R]; residual
    [L, R, R] (zero in the last layer); skip [L, R, S]; hidden [S, S]; output [P, S, K]. In units of
    2^-28, int64: conditioning [speakers + 1, L, 2R], biases of the gates; residual_bias [L, R];
    skip_bias [S]; hidden_bias [S]; output_bias [P, K]. dilations int64 [L]; tanh and power are
    the tables.
    """

    embedding: np.ndarray
    gates: np.ndarray
    conditioning: np.ndarray
    residual: np.ndarray
    residual_bias: np.ndarray
    skip: np.ndarray
    skip_bias: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray
    dilations: np.ndarray
    tanh: np.ndarray
    power: np.ndarray


class PriorState(NamedTuple):
    """Where one sequence stands; the kernels change it in place.

    rings int32 [sum of dilations, R]: each layer's last inputs. cursor [L]: the oldest row of each
    layer's ring. previous [1]: the embedding's row of the last code, or of what stands before the
    first. codebook [1]: that of the next code.
    """

    rings: np.ndarray
    cursor: np.ndarray
    previous: np.ndarray
    codebook: np.ndarray


def _fixed(tensor: Tensor, bits: int, limit: float, kind: type) -> np.ndarray:
    """Rounded to units of 2^-bits. Scaling by a power of two and rounding are exact in IEEE."""
    values = tensor.detach().cpu().double().numpy()
    if not np.abs(values).max() < limit:
        raise InputError(f"the prior has a weight beyond {limit:g}; fit it again")
    return np.ascontiguousarray(np.rint(values * 2.0**bits).astype(kind))


def _weight(tensor: Tensor) -> np.ndarray:
    return _fixed(tensor, FRACTION, LARGEST_WEIGHT, np.int32)


def _matrix(tensor: Tensor) -> np.ndarray:
    """[O, I], as PyTorch keeps it, to int32 [I, O]."""
    if tensor.shape[1] > MAX_INPUTS:
        raise InputError(f"the prior has a layer of {tensor.shape[1]} inputs; make it narrower")
    return np.ascontiguousarray(_weight(tensor).T)


def _bias(tensor: Tensor) -> np.ndarray:
    return _fixed(tensor, 2 * FRACTION, LARGEST_BIAS, np.int64)


def pack_prior(prior: Prior) -> PackedPrior:
    """Round a prior's weights to fixed point, in kernel order. InputError: one is too large."""
    stack, layers, codebooks = prior.stack, prior.config.layers, prior.quantizer.codebooks
    width, last = stack.residual_channels, len(stack.residual)
    residual = np.zeros((layers, width, width), np.int32)
    residual_bias = np.zeros((layers, width), np.int64)
    for i in range(last):
        residual[i] = _matrix(stack.residual[i].weight)
        residual_bias[i] = _bias(stack.residual[i].bias)
    # Not with `@` on floats: its order of summation is the library's own.
    speakers = _weight(prior.speakers.weight).astype(np.int64)
    conditioning = np.tile(_bias(prior.condition.bias), (len(speakers), 1))
    for column, row in zip(speakers.T, _matrix(prior.condition.weight), strict=True):
        conditioning += column[:, None] * row.astype(np.int64)
    return PackedPrior(
        embedding=_weight(prior.embedding.weight),
        gates=np.stack([_matrix(layer.weight) for layer in stack.gates]),
        conditioning=conditioning.reshape(len(speakers), layers, 2 * width),
        residual=residual,
        residual_bias=residual_bias,
        skip=_matrix(stack.skip.weight).reshape(layers, width, -1),
        skip_bias=_bias(stack.skip.bias),
        hidden=_matrix(prior.hidden.weight),
        hidden_bias=_bias(prior.hidden.bias),
        output=np.stack([_matrix(own) for own in prior.output.weight.chunk(codebooks)]),
        output_bias=_bias(prior.output.bias).reshape(codebooks, -1),
        dilations=np.array(stack.dilations, np.int64),
        tanh=tanh_table(),
        power=power_table(),
    )


def new_state(net: PackedPrior, inside: bool = False) -> PriorState:
    """A sequence that has seen nothing; `inside`: it goes on from a past that is not shown."""
    return PriorState(
        rings=np.zeros((int(net.dilations.sum()), net.embedding.shape[1]), np.int32),
        cursor=np.zeros(len(net.dilations), np.int64),
        previous=np.full(1, net.output_bias.size + int(inside), np.int64),
        codebook=np.zeros(1, np.int64),
    )
