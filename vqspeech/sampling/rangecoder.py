"""A range coder driven by the prior: codes to bytes at -log2 p bits each, and back.

Martin 1979, "Range encoding", with the carry kept back as in LZMA: `low` and `range` are whole
numbers of 48 bits, and a byte leaves when the range falls below 2^40. With frequencies of 24 bits
what rounding wastes is below 2^-16 of a code. The end is the shortest string of bytes that lies in
the last interval; a decoder reads zeros after it.
"""

import numpy as np

from vqspeech.sampling.compilation import kernel
from vqspeech.sampling.fixed_point import FREQUENCY_BITS, PLAIN, frequencies, observe, step

BITS = 48
FULL, BOTTOM = 1 << BITS, 1 << (BITS - 8)
TOP_BYTE = BITS - 8
CODE_BYTES = BITS // 8
BYTES_A_CODE = FREQUENCY_BITS // 8 + 1
"""More than the rarest code can take."""


@kernel(inline="always")
def put(coder, byte, out):
    """Append a byte of `low` (0 to 511: the ninth bit is a carry into what was kept back).

    coder int64 [3]: bytes written; the byte kept back, -1 for none yet; how many 255s follow it.
    """
    if byte == 255:
        coder[2] += 1
        return
    carry = byte >> 8
    if coder[1] >= 0:
        out[coder[0]] = coder[1] + carry
        coder[0] += 1
    for _ in range(coder[2]):
        out[coder[0]] = (255 + carry) & 255
        coder[0] += 1
    coder[2] = 0
    coder[1] = byte & 255


@kernel()
def finish(coder, low, size, out):
    """Write the shortest end: the number in [low, low + size) with the fewest bytes."""
    count = value = np.int64(0)
    for count in range(CODE_BYTES + 1):
        mask = (np.int64(1) << (BITS - 8 * count)) - 1
        value = (low + mask) & ~mask
        if value < low + size:
            break
    for _ in range(count):
        put(coder, value >> TOP_BYTE, out)
        value = (value & (BOTTOM - 1)) << 8
    # Pushes out what is kept back, with the carry where that is all that is left to write.
    put(coder, 256 if count == 0 and value else 0, out)
    length = coder[0]
    while length and out[length - 1] == 0:
        length -= 1
    return length


@kernel()
def encode(net, state, conditioning, codes, out):
    """Codes int64 [F] to bytes in `out` uint8 [F * BYTES_A_CODE + 16]; returns their number.

    state: of `new_state`; it stands behind the last code then. conditioning: int64 [L, 2R].
    """
    number = net.output_bias.shape[1]
    logits, found = np.empty(number, np.int64), np.empty(number, np.int64)
    coder = np.zeros(3, np.int64)
    coder[1] = -1
    low, size = np.int64(0), np.int64(FULL - 1)
    for n in range(len(codes)):
        step(net, state, conditioning, logits)
        frequencies(logits, PLAIN, net.power, found)
        code, unit = codes[n], size >> FREQUENCY_BITS
        low += unit * found[:code].sum()
        size = unit * found[code]
        while size < BOTTOM:
            put(coder, low >> TOP_BYTE, out)
            low = (low & (BOTTOM - 1)) << 8
            size <<= 8
        observe(net, state, code)
    return finish(coder, low, size, out)


@kernel()
def decode(net, state, conditioning, data, out):
    """Bytes `data` uint8 [N] to codes out [F]. Any bytes give some codes: a checksum must tell."""
    number = net.output_bias.shape[1]
    logits, found = np.empty(number, np.int64), np.empty(number, np.int64)
    window, read = np.int64(0), 0
    for _ in range(CODE_BYTES):
        window <<= 8
        if read < len(data):
            window += data[read]
        read += 1
    size = np.int64(FULL - 1)
    for n in range(len(out)):
        step(net, state, conditioning, logits)
        frequencies(logits, PLAIN, net.power, found)
        unit = size >> FREQUENCY_BITS
        target = min(window // unit, (1 << FREQUENCY_BITS) - 1)
        code, below = 0, np.int64(0)
        while below + found[code] <= target:
            below += found[code]
            code += 1
        window -= unit * below
        size = unit * found[code]
        while size < BOTTOM:
            window = (window & (BOTTOM - 1)) << 8
            if read < len(data):
                window += data[read]
            read += 1
            size <<= 8
        out[n] = code
        observe(net, state, code)
