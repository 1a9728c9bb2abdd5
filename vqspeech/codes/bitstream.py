"""The `.vqs` bitstream: a small header, then blocks that stand alone. Bytes in memory, no files.

    header  "VQS", version; mode; identity of the codes (8 bytes); in mode RANGE the first 4 bytes
            of the prior's fingerprint; hop and codebook size - 1 (uint16); samples; name of the
            model; name of the speaker, empty for none; CRC-32 of all that
    block   0xB1 0x5C; its number; payload bytes; payload; in mode RANGE a CRC-16 of its codes;
            CRC-32 of all that, begun with the header's

Numbers are little-endian; samples, block numbers and sizes are variable-length (7 bits a byte, low
ones first). Every block has BLOCK_CODES codes and the last one what is left, so that a file is lost
block by block, and a block of another file or in another place is never taken for the right one.
The CRC of the codes tells that a decoder found what the encoder had, whatever else went wrong.
"""

import struct
import zlib
from binascii import crc_hqx
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vqspeech.audio.signal import frames_for
from vqspeech.errors import InputError

MAGIC, VERSION = b"VQS", 1
PACKED, RANGE = 0, 1
MODES = {PACKED: "packed", RANGE: "range-coded"}
MARK = b"\xb1\x5c"
BLOCK_CODES = 1024
"""20 s at 50 codes/s: what damage takes, and how far the prior remembers."""
MAX_PAYLOAD = BLOCK_CODES * 4 + 16
"""Bytes; the rarest code takes 24 bits."""
MAX_SAMPLES = 1 << 40
"""Two years at 16 kHz."""
MIN_BLOCK = len(MARK) + 2 + 4
MAX_NAME_BYTES = 255
SHORT_PRIOR = 8
"""Hex digits of a prior's fingerprint that a header has."""


@dataclass(frozen=True)
class Header:
    """What a `.vqs` file says of itself. codes: identity of the model's codes, 16 hex digits.

    prior: first 8 hex digits of its prior's fingerprint, "" if the codes are packed. speaker: ""
    for none. Raises InputError for what no header can hold.
    """

    codes: str
    prior: str
    hop: int
    codebook_size: int
    samples: int
    model: str
    speaker: str = ""

    def __post_init__(self):
        fits = 1 <= self.hop < 1 << 16 and 2 <= self.codebook_size <= 1 << 16
        if not fits or not 0 <= self.samples <= MAX_SAMPLES:
            raise InputError(
                f"a .vqs file cannot hold {self.samples} samples of {self.codebook_size} codes "
                f"with a hop of {self.hop}; save the codes as .npy"
            )
        for name in (self.model, self.speaker):
            if len(name.encode(errors="replace")) > MAX_NAME_BYTES:
                raise InputError(f"the name {name[:30]}... is too long for a .vqs file")

    @property
    def mode(self) -> int:
        return RANGE if self.prior else PACKED

    @property
    def frames(self) -> int:
        return frames_for(self.samples, self.hop)

    @property
    def blocks(self) -> int:
        return frames_for(self.frames, BLOCK_CODES)

    @property
    def bits(self) -> int:
        """Bits of a packed code."""
        return (self.codebook_size - 1).bit_length()

    def codes_in(self, block: int) -> int:
        """Number of codes of a block."""
        return min(BLOCK_CODES, self.frames - block * BLOCK_CODES)


class BlockCoder(Protocol):
    """Codes uint16 [F] of one block to bytes and back; `inside`: it is not the first block."""

    def encode(self, codes: np.ndarray, inside: bool) -> bytes: ...

    def decode(self, payload: bytes, count: int, inside: bool) -> np.ndarray: ...


class PackedCoder:
    """Plain indices, `bits` each, the first in the highest bits."""

    def __init__(self, bits: int):
        self._bits = bits

    def encode(self, codes: np.ndarray, inside: bool) -> bytes:
        shifts = np.arange(self._bits - 1, -1, -1)
        return np.packbits((codes[:, None].astype(np.int64) >> shifts & 1).astype(bool)).tobytes()

    def decode(self, payload: bytes, count: int, inside: bool) -> np.ndarray:
        if len(payload) != -(-count * self._bits // 8):
            raise ValueError("its size is not that of its codes")
        bits = np.unpackbits(np.frombuffer(payload, np.uint8))[: count * self._bits]
        weights = 1 << np.arange(self._bits - 1, -1, -1)
        return bits.reshape(count, self._bits).astype(np.int64) @ weights


def _variable(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _read_variable(data: memoryview, at: int) -> tuple[int, int]:
    """(number, position after it). ValueError where it ends early or is longer than it needs."""
    number = 0
    for i in range(7):
        byte = data[at + i] if at + i < len(data) else -1
        if byte < 0 or (i and byte == 0):
            break
        number |= (byte & 127) << 7 * i
        if byte < 128:
            return number, at + i + 1
    raise ValueError("a number in it is cut off or damaged")


def header_bytes(header: Header) -> bytes:
    """The header as it stands in the file."""
    prior = bytes.fromhex(header.prior) if header.prior else b""
    body = MAGIC + bytes([VERSION, header.mode]) + bytes.fromhex(header.codes) + prior
    body += struct.pack("<HH", header.hop, header.codebook_size - 1) + _variable(header.samples)
    for name in (header.model, header.speaker):
        text = name.encode(errors="replace")
        body += bytes([len(text)]) + text
    return body + struct.pack("<I", zlib.crc32(body))


def seed_of(header: Header) -> int:
    """What the CRCs of its blocks begin with: the header's own.

    Not the CRC of all its bytes: with its CRC behind it every header has the same one.
    """
    return struct.unpack("<I", header_bytes(header)[-4:])[0]


def read_header(data: bytes | memoryview) -> tuple[Header, int]:
    """(header, its size) of the start of a file. Raises InputError without the file's name."""
    data = memoryview(data)
    if bytes(data[:3]) != MAGIC:
        raise InputError("is not a .vqs file; make one with `vqspeech encode`")
    if len(data) > 3 and data[3] != VERSION:
        raise InputError(
            f"has version {data[3]} of the format, this program reads {VERSION}; upgrade vqspeech"
        )
    try:
        return _parse_header(data)
    except (ValueError, IndexError, struct.error, InputError):
        raise InputError(
            "has a damaged or cut-off header; copy it again (nothing can be salvaged without it)"
        ) from None


def _parse_header(data: memoryview) -> tuple[Header, int]:
    mode, at = data[4], 13
    codes, prior = bytes(data[5:at]), b""
    if mode not in MODES:
        raise ValueError
    if mode == RANGE:
        prior, at = bytes(data[at : at + 4]), at + 4
    hop, top = struct.unpack("<HH", data[at : at + 4])
    samples, at = _read_variable(data, at + 4)
    names = []
    for _ in range(2):
        end = at + 1 + data[at]
        names.append(bytes(data[at + 1 : end]).decode())
        at = end
    if struct.unpack("<I", data[at : at + 4])[0] != zlib.crc32(data[:at]):
        raise ValueError
    return Header(codes.hex(), prior.hex(), hop, top + 1, samples, *names), at + 4


def encoded(header: Header, codes: np.ndarray, coder: BlockCoder) -> Iterator[bytes]:
    """The bytes of a file of `codes` [F], header first, then block by block."""
    yield header_bytes(header)
    for number in range(header.blocks):
        part = codes[number * BLOCK_CODES :][:BLOCK_CODES]
        payload = coder.encode(part, number > 0)
        block = MARK + _variable(number) + _variable(len(payload)) + payload
        if header.mode == RANGE:
            block += struct.pack("<H", _codes_crc(part))
        yield block + struct.pack("<I", zlib.crc32(block, seed_of(header)))


def _codes_crc(codes: np.ndarray) -> int:
    return crc_hqx(codes.astype("<u2").tobytes(), 0xFFFF)


@dataclass(frozen=True)
class Block:
    """One intact block: its number, payload and CRC of codes, and where it ends in the file."""

    number: int
    payload: memoryview
    codes_crc: int | None
    end: int


def read_block(data: memoryview, at: int, header: Header, seed: int) -> Block:
    """The block at `at`, its CRC checked. ValueError says what is wrong with it.

    seed: of `seed_of`.
    """
    if bytes(data[at : at + 2]) != MARK:
        raise ValueError("does not begin as a block does")
    number, body = _read_variable(data, at + 2)
    size, body = _read_variable(data, body)
    extra = 2 if header.mode == RANGE else 0
    end = body + size + extra + 4
    if size > MAX_PAYLOAD or end > len(data):
        raise ValueError("is cut off")
    if struct.unpack("<I", data[end - 4 : end])[0] != zlib.crc32(data[at : end - 4], seed):
        raise ValueError("is damaged")
    if number >= header.blocks:
        raise ValueError("has a number that its header rules out")
    found = struct.unpack("<H", data[end - 6 : end - 4])[0] if extra else None
    return Block(number, data[body : body + size], found, end)


def decoded(block: Block, header: Header, coder: BlockCoder) -> np.ndarray:
    """The codes uint16 [F] of a block. Raises ValueError that says what is wrong."""
    codes = coder.decode(bytes(block.payload), header.codes_in(block.number), block.number > 0)
    if int(codes.max()) >= header.codebook_size:
        raise ValueError("has a code that its codebook has not")
    codes = codes.astype(np.uint16)
    if block.codes_crc is not None and _codes_crc(codes) != block.codes_crc:
        raise ValueError("decodes to other codes than were written")
    return codes
