"""The `.vqs` bitstream: a small header, then blocks that stand alone. Bytes in memory, no files.

    header  "VQS", version; mode; identity of the codes (8 bytes); in mode RANGE the first 4 bytes
            of the prior's fingerprint; hop and codebook size - 1 (uint16); samples; name of the
            model; name of the speaker, empty for none; CRC-32 of all that
    block   0xB1 0x5C; its number; payload bytes; payload; in mode RANGE a CRC-16 of its codes;
            CRC-32 of all that, begun with the header's

A stream, whose length is not known before its end, is of version 2: its header has no samples, each
of its blocks says after its number how many codes it has, and behind the last one stands

    end     0xB1 0xED; number of blocks; samples; CRC-32 of all that, begun with the header's

Numbers are little-endian; samples, block numbers and sizes are variable-length (7 bits a byte, low
ones first). Every block has BLOCK_CODES codes (of a stream: as many as its writer waits for, the
first codebook's turn first) and the last one what is left, so that a file is lost
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
from vqspeech.codes.stream import CodeStream
from vqspeech.errors import InputError

MAGIC, VERSION, STREAM_VERSION = b"VQS", 1, 2
PACKED, RANGE = 0, 1
MODES = {PACKED: "packed", RANGE: "range-coded"}
MARK, END_MARK = b"\xb1\x5c", b"\xb1\xed"
BLOCK_CODES = 1024
"""20 s at 50 codes/s: what damage takes, and how far the prior remembers."""
MAX_PAYLOAD = BLOCK_CODES * 4 + 16
"""Bytes; the rarest code takes 24 bits."""
MAX_SAMPLES = 1 << 40
"""Two years at 16 kHz."""
MIN_BLOCK = len(MARK) + 2 + 4
MAX_BLOCKS = 1 << 32
"""Of a stream: more than MAX_SAMPLES need."""
MAX_NAME_BYTES = 255
SHORT_PRIOR = 8
"""Hex digits of a prior's fingerprint that a header has."""


@dataclass(frozen=True)
class Header:
    """What a `.vqs` file says of itself. codes: identity of the model's codes, 16 hex digits.

    prior: first 8 hex digits of its prior's fingerprint, "" if the codes are packed. samples: None
    in a stream, whose `End` has them. speaker: "" for none. Raises InputError for what no header
    can hold.
    """

    codes: str
    prior: str
    hop: int
    codebook_size: int
    samples: int | None
    model: str
    speaker: str = ""

    def __post_init__(self):
        fits = 1 <= self.hop < 1 << 16 and 2 <= self.codebook_size <= 1 << 16
        if not fits or not 0 <= (self.samples or 0) <= MAX_SAMPLES:
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
        """Codes of a file; of a stream nobody knows."""
        assert self.samples is not None, "a stream's length stands at its end"
        return frames_for(self.samples, self.hop)

    @property
    def blocks(self) -> int:
        """Blocks of a file; of a stream nobody knows."""
        return frames_for(self.frames, BLOCK_CODES)

    @property
    def bits(self) -> int:
        """Bits of a packed code."""
        return (self.codebook_size - 1).bit_length()

    def codes_in(self, block: int) -> int:
        """Number of codes of a file's block."""
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


class CutOffError(ValueError):
    """What is being read goes on behind the bytes that there are."""


def _read_variable(data: memoryview, at: int) -> tuple[int, int]:
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


def header_bytes(header: Header) -> bytes:
    """The header as it stands in the file."""
    prior = bytes.fromhex(header.prior) if header.prior else b""
    version = STREAM_VERSION if header.samples is None else VERSION
    body = MAGIC + bytes([version, header.mode]) + bytes.fromhex(header.codes) + prior
    body += struct.pack("<HH", header.hop, header.codebook_size - 1)
    body += b"" if header.samples is None else _variable(header.samples)
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
    if len(data) > 3 and data[3] not in (VERSION, STREAM_VERSION):
        raise InputError(
            f"has version {data[3]} of the format, this program reads {VERSION} and "
            f"{STREAM_VERSION}; upgrade vqspeech"
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
    samples, at = None, at + 4
    if data[3] == VERSION:
        samples, at = _read_variable(data, at)
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
        yield _block_bytes(header, number, part, coder)


def streamed(
    header: Header, codes: CodeStream, coder: BlockCoder, block_codes: int
) -> Iterator[bytes]:
    """The bytes of a stream, each block as soon as its `block_codes` codes have come.

    header: with samples None. Nothing comes before the first codes do.
    """
    waiting, count, number, head = [], 0, 0, header_bytes(header)
    for part in codes:
        if head:
            yield head
        head = b""
        waiting.append(part)
        count += len(part)
        while count >= block_codes:
            whole = np.concatenate(waiting)
            yield _block_bytes(header, number, whole[:block_codes], coder)
            waiting, count, number = [whole[block_codes:]], count - block_codes, number + 1
    if count:
        yield _block_bytes(header, number, np.concatenate(waiting), coder)
        number += 1
    assert codes.samples is not None
    end = END_MARK + _variable(number) + _variable(codes.samples)
    yield end + struct.pack("<I", zlib.crc32(end, seed_of(header)))


def _block_bytes(header: Header, number: int, codes: np.ndarray, coder: BlockCoder) -> bytes:
    payload = coder.encode(codes, number > 0)
    block = MARK + _variable(number)
    if header.samples is None:
        block += _variable(len(codes))
    block += _variable(len(payload)) + payload
    if header.mode == RANGE:
        block += struct.pack("<H", _codes_crc(codes))
    return block + struct.pack("<I", zlib.crc32(block, seed_of(header)))


def _codes_crc(codes: np.ndarray) -> int:
    return crc_hqx(codes.astype("<u2").tobytes(), 0xFFFF)


@dataclass(frozen=True)
class Block:
    """One intact block: its number, how many codes it has, their payload and CRC, and where it ends
    in the file."""

    number: int
    count: int
    payload: memoryview
    codes_crc: int | None
    end: int


@dataclass(frozen=True)
class End:
    """The end of a stream: its blocks, the recording's samples, and where it ends in the file."""

    blocks: int
    samples: int
    end: int


def read_block(data: memoryview, at: int, header: Header, seed: int) -> Block:
    """The block at `at`, its CRC checked. ValueError says what is wrong with it; CutOffError if it
    may be only that the data end too early.

    seed: of `seed_of`.
    """
    if bytes(data[at : at + 2]) != MARK:
        raise ValueError("does not begin as a block does")
    number, body = _read_variable(data, at + 2)
    count = 0
    if header.samples is None:
        count, body = _read_variable(data, body)
        if number >= MAX_BLOCKS or not 1 <= count <= BLOCK_CODES:
            raise ValueError("has a number or a size that no block has")
    size, body = _read_variable(data, body)
    extra = 2 if header.mode == RANGE else 0
    end = body + size + extra + 4
    if size > MAX_PAYLOAD:
        raise ValueError("is cut off or damaged")
    _check_crc(data, at, end, seed)
    if header.samples is not None:
        if number >= header.blocks:
            raise ValueError("has a number that its header rules out")
        count = header.codes_in(number)
    found = struct.unpack("<H", data[end - 6 : end - 4])[0] if extra else None
    return Block(number, count, data[body : body + size], found, end)


def read_end(data: memoryview, at: int, header: Header, seed: int) -> End | None:
    """The end of a stream, if it stands at `at`. Raises as `read_block` does."""
    if header.samples is not None or bytes(data[at : at + 2]) != END_MARK:
        return None
    blocks, body = _read_variable(data, at + 2)
    samples, body = _read_variable(data, body)
    _check_crc(data, at, body + 4, seed)
    if samples > MAX_SAMPLES:
        raise ValueError("declares more samples than there can be")
    return End(blocks, samples, body + 4)


def _check_crc(data: memoryview, at: int, end: int, seed: int) -> None:
    """The CRC-32 before `end` is that of what stands from `at` on. Raises as `read_block` does."""
    if end > len(data):
        raise CutOffError("is cut off")
    if struct.unpack("<I", data[end - 4 : end])[0] != zlib.crc32(data[at : end - 4], seed):
        raise ValueError("is damaged")


def decoded(block: Block, header: Header, coder: BlockCoder) -> np.ndarray:
    """The codes uint16 [F] of a block. Raises ValueError that says what is wrong."""
    codes = coder.decode(bytes(block.payload), block.count, block.number > 0)
    if int(codes.max()) >= header.codebook_size:
        raise ValueError("has a code that its codebook has not")
    codes = codes.astype(np.uint16)
    if block.codes_crc is not None and _codes_crc(codes) != block.codes_crc:
        raise ValueError("decodes to other codes than were written")
    return codes
