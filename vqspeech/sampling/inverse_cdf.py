"""The coarse half of inverting a distribution function: in which block of levels a target lies.

LLVM vector code like that of `matvec`: sixteen vectors of sixteen probabilities become one vector
of sixteen sums by a tree of shuffles, which a loop over levels cannot.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BLOCK = 16
"""Levels in a block, and blocks: their product is the number of levels."""

_I1, _I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
_F32 = ir.FloatType()
_LANES = ir.VectorType(_F32, BLOCK)
_INDICES = ir.VectorType(_I32, BLOCK)


@intrinsic
def find_block(typing, levels, uniform):
    """(block, below, target) from probabilities `levels` [256], not normalised, float32.

    target: uniform times their sum. block: the first whose running sum exceeds the target, at most
    the last. below: the sum of the blocks before it.
    """
    signature = types.Tuple((types.int64, types.float32, types.float32))(levels, uniform)

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        base = builder.bitcast(array.data, _LANES.as_pointer())

        def load(i):
            value = builder.load(builder.gep(base, [ir.Constant(_I64, i)]))
            value.align = 4
            return value

        def shuffled(a, b, chosen):
            return builder.shuffle_vector(a, b, ir.Constant(_INDICES, [int(i) for i in chosen]))

        # Sums of neighbours, of two vectors at a time: at last lane i holds the sum of block i.
        sums = [load(i) for i in range(BLOCK)]
        even = np.arange(0, 2 * BLOCK, 2)
        while len(sums) > 1:
            sums = [
                builder.fadd(shuffled(a, b, even), shuffled(a, b, even + 1))
                for a, b in zip(sums[::2], sums[1::2], strict=True)
            ]
        running, zeros = sums[0], ir.Constant(_LANES, None)
        for distance in (1, 2, 4, 8):
            moved = np.arange(BLOCK) - distance  # lanes from below the first are zeros
            moved = shuffled(running, zeros, np.where(moved < 0, BLOCK, moved))
            running = builder.fadd(running, moved)
        last = ir.Constant(_I32, BLOCK - 1)
        target = builder.fmul(arguments[1], builder.extract_element(running, last))
        place = ir.Constant(_I32, 0)
        spread = builder.insert_element(ir.Constant(_LANES, ir.Undefined), target, place)
        spread = builder.shuffle_vector(spread, spread, ir.Constant(_INDICES, None))
        above = builder.bitcast(builder.fcmp_ordered(">", running, spread), _I16)
        above = builder.or_(above, ir.Constant(_I16, 1 << (BLOCK - 1)))
        block = builder.cttz(above, ir.Constant(_I1, 1))
        before = shuffled(zeros, running, [0, *range(BLOCK, 2 * BLOCK - 1)])
        below = builder.extract_element(before, builder.zext(block, _I32))
        found = (builder.zext(block, _I64), below, target)
        return cgutils.pack_struct(builder, found)

    return signature, generate
