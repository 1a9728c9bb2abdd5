"""Products of int16 inputs with an int8 matrix: the arithmetic that a sampled WaveNet consists of.

A matrix is cut into groups of GROUP outputs. Within a group, the weights of two inputs lie side by
side for each output, so that one instruction multiplies both, adds the two products and adds them
to a 32-bit sum (`vpdpwssd` where AVX-512 VNNI is there, `vpmaddwd` and an addition elsewhere on
x86). The sums of a group stay in registers while its weights stream past once, and up to four
streams share each weight that is read. Integer sums are exact: neither their order nor the number
of streams changes them.

The vector code is LLVM's own intermediate form (plain multiplications and additions of vectors),
which every processor that numba knows can run; only the choice of instructions is left to LLVM.
"""

# pyright: reportCallIssue=false
# (An intrinsic is written with a parameter more than it is called with.)

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vqspeech.sampling.compilation import kernel

LANES = 16
"""32-bit sums in a vector (512 bits; halved by LLVM where registers are narrower)."""
TILES = 4
"""Vectors of sums in a group."""
GROUP = LANES * TILES
INPUT_MULTIPLE = 4
"""A single stream takes two pairs of inputs a round, for two independent chains of sums."""
LARGEST_INPUTS = 2**31 // (127 * 32_767)
"""Beyond this many inputs a sum may leave 32 bits."""

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_SUMS = ir.VectorType(_I32, LANES)
_PAIRS8, _PAIRS16, _PAIRS32 = (ir.VectorType(t, 2 * LANES) for t in (_I8, _I16, _I32))


def pack_int8(matrix: np.ndarray) -> np.ndarray:
    """int8 [I, O] to the order in which `product` reads it, flat.

    I is padded with zeros to a multiple of INPUT_MULTIPLE, O to one of GROUP.
    """
    inputs, outputs = matrix.shape
    matrix = np.pad(matrix, ((0, -inputs % INPUT_MULTIPLE), (0, -outputs % GROUP)))
    pairs = matrix.reshape(len(matrix) // 2, 2, -1, GROUP)  # [pair, which, group, output]
    return np.ascontiguousarray(pairs.transpose(2, 0, 3, 1)).reshape(-1)


def _group_product(streams: int, chains: int):
    """An intrinsic: sums of one group of outputs for `streams` streams at once."""

    @intrinsic
    def product_of_group(typing, weights, x, sums, place):
        """place: the group's first weight, the first stream, pairs of inputs, the first output."""
        signature = types.void(weights, x, sums, place)

        def generate(context, builder, signature, arguments):
            weights, x, sums = (
                context.make_array(kind)(context, builder, argument)
                for kind, argument in zip(signature.args[:3], arguments[:3], strict=True)
            )
            start, first, pairs, column = cgutils.unpack_tuple(builder, arguments[3], 4)

            def constant(value):
                return ir.Constant(_I64, value)

            def moved(pointer, offset):
                """The pointer `offset` bytes on."""
                return builder.gep(builder.bitcast(pointer, _I8.as_pointer()), [offset])

            def rows(array):
                """Pointers to the rows of the streams in a C-contiguous 2-D array."""
                stride = cgutils.unpack_tuple(builder, array.strides, 2)[0]
                return [
                    moved(array.data, builder.mul(stride, builder.add(first, constant(s))))
                    for s in range(streams)
                ]

            def load(pointer, kind):
                value = builder.load(builder.bitcast(pointer, kind.as_pointer()))
                value.align = 1
                return value

            def broadcast(pair):
                undefined = ir.Constant(_SUMS, ir.Undefined)
                value = builder.insert_element(undefined, pair, ir.Constant(_I32, 0))
                value = builder.shuffle_vector(value, undefined, ir.Constant(_SUMS, None))
                return builder.bitcast(value, _PAIRS16)

            def half(products, odd):
                chosen = ir.Constant(_SUMS, [2 * i + odd for i in range(LANES)])
                return builder.shuffle_vector(products, ir.Constant(_PAIRS32, ir.Undefined), chosen)

            matrix, inputs = moved(weights.data, start), rows(x)
            totals = np.empty((chains, streams, TILES), object)
            for place in np.ndindex(totals.shape):
                totals[place] = cgutils.alloca_once(builder, _SUMS)  # LLVM makes it a register
                builder.store(ir.Constant(_SUMS, None), totals[place])
            rounds = builder.udiv(pairs, constant(chains))
            with cgutils.for_range(builder, rounds) as loop:
                for chain in range(chains):
                    pair = builder.add(builder.mul(loop.index, constant(chains)), constant(chain))
                    row = moved(matrix, builder.mul(pair, constant(2 * GROUP)))
                    offset = builder.mul(pair, constant(4))
                    taken = [broadcast(load(moved(line, offset), _I32)) for line in inputs]
                    for tile in range(TILES):
                        weight = load(moved(row, constant(2 * LANES * tile)), _PAIRS8)
                        weight = builder.sext(builder.sext(weight, _PAIRS16), _PAIRS32)
                        for s in range(streams):
                            products = builder.mul(weight, builder.sext(taken[s], _PAIRS32))
                            pairwise = builder.add(half(products, 0), half(products, 1))
                            total = totals[chain, s, tile]
                            builder.store(builder.add(builder.load(total), pairwise), total)
            for s, line in enumerate(rows(sums)):
                for tile in range(TILES):
                    value = builder.load(totals[0, s, tile])
                    for chain in range(1, chains):
                        value = builder.add(value, builder.load(totals[chain, s, tile]))
                    place = builder.add(
                        builder.mul(column, constant(4)), constant(4 * LANES * tile)
                    )
                    place = builder.bitcast(moved(line, place), _SUMS.as_pointer())
                    builder.store(value, place).align = 4
            return context.get_dummy_value()

        return signature, generate

    return product_of_group


_one, _two, _four = _group_product(1, 2), _group_product(2, 1), _group_product(4, 1)


@kernel()
def product(weights, start, shape, x, streams, sums):
    """sums [streams, outputs] (int32) = x [streams, inputs] (int16) @ matrix (int8).

    weights: flat, from `pack_int8`s; `start` is where the matrix begins there. shape: its inputs
    and outputs, padded; x and sums are C-contiguous and at least that wide. Returns where the next
    matrix begins. No bounds are checked.
    """
    inputs, outputs = shape
    pairs = inputs // 2
    for column in range(0, outputs, GROUP):
        stream = 0
        while stream + 4 <= streams:
            _four(weights, x, sums, (start, stream, pairs, column))
            stream += 4
        if stream + 2 <= streams:
            _two(weights, x, sums, (start, stream, pairs, column))
            stream += 2
        if stream < streams:
            _one(weights, x, sums, (start, stream, pairs, column))
        start += inputs * GROUP
    return start
