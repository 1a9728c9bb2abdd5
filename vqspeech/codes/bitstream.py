"""The `.vqs` bitstream: a small header, then blocks that stand alone. Bytes in memory, no files.

    header  "VQS", version; mode; identity of the codes (8 bytes); in mode RANGE the first 4 bytes
            of the prior's fingerprint; hop and codebook size - 1 (uint16); samples; name of the
            model; name of the speaker, empty for none; in versions with a voice that, and its
            size before it (`codes.own_voice`); CRC-32 of all that
    block   0xB1 0x5C; its number; payload bytes; payload; in mode RANGE a CRC-16 of its codes;
            CRC-32 of all that, begun with the header's

A stream, whose length is not known before its end, is of version 2: its header has no samples, each
of its blocks says after its number how many codes it has, and behind the last one stands

    end     0xB1 0xED; number of blocks; samples; CRC-32 of all that, begun with the header's

The header of versions 3 (else as 1) and 4 (as 2) has the voice to decode with. Versions 5 to 8 are
1 to 4 with several levels: their header says after the codebook's size how many, and has the
identity of the upper ones' codebooks (8 bytes); their blocks have payload bytes and payload once a
level, the first one's first. Those of the upper levels are plain indices, and the CRC-16 is of the
first level's codes, so that a reader may leave upper levels out.

Numbers are little-endian; samples, block numbers and sizes are variable-length (7 bits a byte, low
ones first). Every block has BLOCK_CODES codes (of a stream: as many as its writer waits for, the
first codebook's turn first) and the last one what is left, so that a file is lost
block by block, and a block of another file or in another place is never taken for the right one.
The CRC of the codes tells that a decoder found what the encoder had, whatever else went wrong.
"""

import struct
import zlib
from binascii import crc_hqx
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vqspeech.codes.header import BLOCK_CODES, MAX_SAMPLES, RANGE, Header, header_bytes, seed_of
from vqspeech.codes.numbers import CutOffError, read_variable, variable
from vqspeech.codes.stream import CodeStream

Buffer = bytes | memoryview

MARK, END_MARK = b"\xb1\x5c", b"\xb1\xed"
MAX_PAYLOAD = BLOCK_CODES * 4 + 16
"""Bytes; the rarest code takes 24 bits."""
MIN_BLOCK = len(MARK) + 2 + 4
MAX_BLOCKS = 1 << 32
"""Of a stream: more than MAX_SAMPLES need."""


class BlockCoder(Protocol):
    """Codes uint16 [F] of one level of a block to bytes and back; `inside`: it is not the first."""

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


def encoded(header: Header, codes: np.ndarray, coder: BlockCoder) -> Iterator[bytes]:
    """The bytes of a file of `codes` [F] or [levels, F], header first, then block by block. coder:
    of the first level."""
    yield header_bytes(header)
    for number in range(header.blocks):
        part = codes[..., number * BLOCK_CODES :][..., :BLOCK_CODES]
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
        count += part.shape[-1]
        while count >= block_codes:
            whole = np.concatenate(waiting, -1)
            yield _block_bytes(header, number, whole[..., :block_codes], coder)
            waiting, count, number = [whole[..., block_codes:]], count - block_codes, number + 1
    if count:
        yield _block_bytes(header, number, np.concatenate(waiting, -1), coder)
        number += 1
    assert codes.samples is not None
    yield end_bytes(header, number, codes.samples)


def end_bytes(header: Header, blocks: int, samples: int) -> bytes:
    """What stands behind the last of a stream's blocks."""
    end = END_MARK + variable(blocks) + variable(samples)
    return end + struct.pack("<I", zlib.crc32(end, seed_of(header)))


def _block_bytes(header: Header, number: int, codes: np.ndarray, coder: BlockCoder) -> bytes:
    first, *upper = np.atleast_2d(codes)
    payloads = [coder.encode(first, number > 0)]
    payloads += [PackedCoder(header.bits).encode(level, number > 0) for level in upper]
    crc = _codes_crc(first) if header.mode == RANGE else None
    return block_bytes(header, number, len(first), payloads, crc)


def block_bytes(
    header: Header, number: int, count: int, payloads: Sequence[Buffer], codes_crc: int | None
) -> bytes:
    """A block as it stands in the file: as many of its levels' payloads as the header has levels.

    count: codes of a level. codes_crc: of the first level's codes; None where they are packed.
    """
    block = MARK + variable(number)
    if header.samples is None:
        block += variable(count)
    for payload in payloads[: header.levels]:
        block += variable(len(payload)) + payload
    if codes_crc is not None:
        block += struct.pack("<H", codes_crc)
    return block + struct.pack("<I", zlib.crc32(block, seed_of(header)))


def _codes_crc(codes: np.ndarray) -> int:
    return crc_hqx(codes.astype("<u2").tobytes(), 0xFFFF)


@dataclass(frozen=True)
class Block:
    """One intact block: its number, how many codes a level has, the levels' payloads, the CRC of
    the first one's codes, and where it ends in the file."""

    number: int
    count: int
    payloads: tuple[memoryview, ...]
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
    number, body = read_variable(data, at + 2)
    count = 0
    if header.samples is None:
        count, body = read_variable(data, body)
        if number >= MAX_BLOCKS or not 1 <= count <= BLOCK_CODES:
            raise ValueError("has a number or a size that no block has")
    payloads = []
    for _ in range(header.levels):
        size, body = read_variable(data, body)
        if size > MAX_PAYLOAD:
            raise ValueError("is cut off or damaged")
        payloads.append(data[body : body + size])
        body += size
    extra = 2 if header.mode == RANGE else 0
    end = body + extra + 4
    _check_crc(data, at, end, seed)
    if header.samples is not None:
        if number >= header.blocks:
            raise ValueError("has a number that its header rules out")
        count = header.codes_in(number)
    found = struct.unpack("<H", data[end - 6 : end - 4])[0] if extra else None
    return Block(number, count, tuple(payloads), found, end)


def read_end(data: memoryview, at: int, header: Header, seed: int) -> End | None:
    """The end of a stream, if it stands at `at`. Raises as `read_block` does."""
    if header.samples is not None or bytes(data[at : at + 2]) != END_MARK:
        return None
    blocks, body = read_variable(data, at + 2)
    samples, body = read_variable(data, body)
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
    """The codes of a block, of as many of its levels as the header has: uint16 [F], or [levels, F]
    of several. Raises ValueError that says what is wrong.

    coder: of the first level.
    """
    found = []
    for payload in block.payloads[: header.levels]:
        level = PackedCoder(header.bits) if found else coder
        codes = level.decode(bytes(payload), block.count, block.number > 0)
        if int(codes.max()) >= header.codebook_size:
            raise ValueError("has a code that its codebook has not")
        found.append(codes.astype(np.uint16))
    if block.codes_crc is not None and _codes_crc(found[0]) != block.codes_crc:
        raise ValueError("decodes to other codes than were written")
    return np.stack(found) if len(found) > 1 else found[0]
