"""What an int8 WaveNet does between its products, as LLVM vector code over rows of channels.

A compiler leaves such loops at half the width of the registers, with checks that their arrays do
not overlap and code for odd lengths, which for rows of 64 channels costs more than the work. Here
rows are C-contiguous and a multiple of LANES long, which `int8_weights.padded_net` sees to. No
bounds are checked.
"""

from contextlib import contextmanager

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vqspeech.sampling.maths import HALF, MAGNITUDE, ONE, ROUNDING

LANES = 16
"""Channels a vector: 512 bits of float32."""
TOP = np.float32(32_767)
"""What the largest magnitude of a row becomes as an int16."""
SMALLEST = np.float32(1e-30)
"""Rows are scaled as if their largest magnitude were at least this: no division by zero."""

# tanh(x) / x as a ratio of polynomials in x^2, within 7e-6 on [-6, 6]: for results of 16 bits.
R0, R1, R2 = np.array([9.999711566e-01, 1.144723601e-01, 1.495529114e-03], np.float32)
S1, S2, S3 = np.array([4.477137285e-01, 1.748726442e-02, 5.518446828e-05], np.float32)
LIMIT16 = np.float32(6.0)

_I16, _I32, _I64 = (ir.IntType(bits) for bits in (16, 32, 64))
_FLOATS, _INTS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(_I32, LANES)
_SHORTS = ir.VectorType(_I16, LANES)
_ALIGNMENT = {_FLOATS: 4, _INTS: 4, _SHORTS: 2}  # bytes: rows begin anywhere in an array
_FUSED = ("contract",)  # a product and a sum may become one instruction, nothing else may change


class _Rows:
    """Writes vector code over the rows that an intrinsic was given, with numbers as they come."""

    def __init__(self, context, builder, signature, arguments):
        self.builder = builder
        arrays = {
            i: context.make_array(kind)(context, builder, argument)
            for i, (kind, argument) in enumerate(zip(signature.args, arguments, strict=True))
            if isinstance(kind, types.Array)
        }
        self.pointers = {i: array.data for i, array in arrays.items()}
        self.lengths = {i: cgutils.unpack_tuple(builder, a.shape, 1)[0] for i, a in arrays.items()}

    def load(self, row: int, index, kind=_FLOATS):
        pointer = self.builder.gep(self.pointers[row], [index])
        value = self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()))
        value.align = _ALIGNMENT[kind]
        return value

    def store(self, value, row: int, index) -> None:
        pointer = self.builder.gep(self.pointers[row], [index])
        place = self.builder.bitcast(pointer, value.type.as_pointer())
        self.builder.store(value, place).align = _ALIGNMENT[value.type]

    def spread(self, number):
        """A number in every lane: of this program, or a float32 of the compiled one."""
        if not isinstance(number, ir.Value):
            return ir.Constant(_FLOATS, [float(number)] * LANES)
        undefined = ir.Constant(_FLOATS, ir.Undefined)
        value = self.builder.insert_element(undefined, number, ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(value, undefined, ir.Constant(_INTS, None))

    def add(self, a, b):
        return self.builder.fadd(a, b, flags=_FUSED)

    def multiply(self, a, b):
        return self.builder.fmul(a, b, flags=_FUSED)

    def polynomial(self, x, *coefficients):
        """The highest power's coefficient first."""
        total = self.spread(coefficients[0])
        for coefficient in coefficients[1:]:
            total = self.add(self.multiply(total, x), self.spread(coefficient))
        return total

    def clamped(self, x, limit):
        for sign, bound in ((">", limit), ("<", -limit)):
            beyond = self.builder.fcmp_ordered(sign, x, self.spread(bound))
            x = self.builder.select(beyond, self.spread(bound), x)
        return x

    def from_sums(self, row: int, index):
        return self.builder.sitofp(self.load(row, index, _INTS), _FLOATS)

    def rounded(self, x):
        """float32 within an int16's range to int16: the lowest bits of what `ROUNDING` makes it."""
        bits = self.builder.bitcast(self.add(x, self.spread(ROUNDING)), _INTS)
        return self.builder.trunc(bits, _SHORTS)

    def magnitudes(self, x):
        """|x| as int32 that are ordered as magnitudes are."""
        bits = ir.Constant(_INTS, [int(MAGNITUDE)] * LANES)
        return self.builder.and_(self.builder.bitcast(x, _INTS), bits)

    @contextmanager
    def over(self, channels):
        """A loop over the vectors of a row: its first channels."""
        lanes = ir.Constant(_I64, LANES)
        with cgutils.for_range(self.builder, self.builder.udiv(channels, lanes)) as loop:
            yield self.builder.mul(loop.index, lanes)


# numba fixes that an intrinsic's first parameter is `typing`.
@intrinsic
def gate(typing, conditioning, past, present, input_scales, scale, z):
    """z [R] (int16 of -1..1) = tanh(a) sigmoid(b) within 3e-5.

    [a, b] = conditioning [2R] + the scaled sums past and present, int32 [2R]. input_scales: those
    of the inputs of the two, a pair; scale [4R]: of their outputs, those of the past first.
    """
    signature = types.void(conditioning, past, present, input_scales, scale, z)

    def generate(context, builder, signature, arguments):
        rows = _Rows(context, builder, signature, arguments)
        width = builder.udiv(rows.lengths[0], ir.Constant(_I64, 2))
        scales = map(rows.spread, cgutils.unpack_tuple(builder, arguments[3], 2))
        scaled = list(zip((1, 2), scales, strict=True))

        def input_of(index):
            total, at = rows.load(0, index), index
            for sums, of_inputs in scaled:
                factor = rows.multiply(of_inputs, rows.load(4, at))
                total = rows.add(total, rows.multiply(factor, rows.from_sums(sums, index)))
                at = builder.add(index, builder.add(width, width))
            return total

        def ratio(x):
            """tanh(x) as numerator and denominator."""
            square = rows.multiply(x, x)
            over = rows.multiply(rows.polynomial(square, R2, R1, R0), x)
            return over, rows.polynomial(square, S3, S2, S1, ONE)

        with rows.over(width) as index:
            a = rows.clamped(input_of(index), LIMIT16)
            b = rows.multiply(input_of(builder.add(index, width)), rows.spread(HALF))
            (p, q), (u, v) = ratio(a), ratio(rows.clamped(b, LIMIT16))
            above = rows.multiply(p, rows.multiply(rows.spread(HALF), rows.add(u, v)))
            gated = builder.fdiv(above, rows.multiply(q, v))
            rows.store(rows.rounded(rows.multiply(gated, rows.spread(TOP))), 5, index)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def add_residual(typing, sums, scale, bias, x):
    """x [R] += scaled sums + bias; returns the largest magnitude in x."""
    signature = types.float32(sums, scale, bias, x)

    def generate(context, builder, signature, arguments):
        rows = _Rows(context, builder, signature, arguments)
        peaks = cgutils.alloca_once_value(builder, ir.Constant(_INTS, None))
        with rows.over(rows.lengths[3]) as index:
            given = rows.multiply(rows.load(1, index), rows.from_sums(0, index))
            value = rows.add(rows.load(3, index), rows.add(given, rows.load(2, index)))
            rows.store(value, 3, index)
            _keep_larger(rows, peaks, value)
        return _largest(builder, peaks)

    return signature, generate


@intrinsic
def rectify(typing, sums, scale, input_scale, bias, x):
    """x [S] = relu(scaled sums + bias); returns the largest. x may be `bias`."""
    signature = types.float32(sums, scale, input_scale, bias, x)

    def generate(context, builder, signature, arguments):
        rows = _Rows(context, builder, signature, arguments)
        peaks = cgutils.alloca_once_value(builder, ir.Constant(_INTS, None))
        of_inputs, zero = rows.spread(arguments[2]), ir.Constant(_FLOATS, None)
        with rows.over(rows.lengths[4]) as index:
            factor = rows.multiply(of_inputs, rows.load(1, index))
            value = rows.add(rows.load(3, index), rows.multiply(factor, rows.from_sums(0, index)))
            value = builder.select(builder.fcmp_ordered(">", value, zero), value, zero)
            rows.store(value, 4, index)
            _keep_larger(rows, peaks, value)
        return _largest(builder, peaks)

    return signature, generate


@intrinsic
def to_int16(typing, x, peak, out):
    """x [N], of magnitudes up to `peak`, to int16 in `out`; returns the scale that takes it back.

    A `peak` below SMALLEST counts as that.
    """
    signature = types.float32(x, peak, out)

    def generate(context, builder, signature, arguments):
        rows = _Rows(context, builder, signature, arguments)
        least, top = (ir.Constant(ir.FloatType(), float(c)) for c in (SMALLEST, TOP))
        peak = arguments[1]
        peak = builder.select(builder.fcmp_ordered(">", peak, least), peak, least)
        up = rows.spread(builder.fdiv(top, peak))
        with rows.over(rows.lengths[0]) as index:
            rows.store(rows.rounded(rows.multiply(rows.load(0, index), up)), 2, index)
        return builder.fdiv(peak, top)

    return signature, generate


def _keep_larger(rows: _Rows, peaks, value) -> None:
    builder, bits = rows.builder, rows.magnitudes(value)
    known = builder.load(peaks)
    builder.store(builder.select(builder.icmp_signed(">", bits, known), bits, known), peaks)


def _largest(builder, peaks):
    kind = ir.FunctionType(_I32, [_INTS])
    reduce = cgutils.get_or_insert_function(
        builder.module, kind, f"llvm.vector.reduce.smax.v{LANES}i32"
    )
    return builder.bitcast(builder.call(reduce, [builder.load(peaks)]), ir.FloatType())
