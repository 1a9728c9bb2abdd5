"""Whole numbers of variable length: 7 bits a byte, low ones first."""


def variable(number: int) -> bytes:
    """A number, 0 or above, in as few bytes as it needs."""
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


class CutOffError(ValueError):
    """What is being read goes on behind the bytes that there are."""


def read_variable(data: memoryview, at: int) -> tuple[int, int]:
    """(number, position after it). ValueError where it ends early or is longer than it needs."""
    number = 0
    for i in range(7):
        if at + i >= len(data):
            raise CutOffError("is cut off")
        byte = data[at + i]
        if i and byte == 0:
            break
        number |= (byte & 127) << 7 * i
        if byte < 128:
            return number, at + i + 1
    raise ValueError("has a damaged number")
