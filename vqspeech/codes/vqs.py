"""`.vqs` files: written whole or not at all; read as if they were hostile.

Nothing that a header declares takes memory before the size of the file bears it out, and codes are
kept block by block, each after its checksums.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vqspeech.codes import bitstream
from vqspeech.codes.bitstream import BLOCK_CODES, Block, BlockCoder, Header
from vqspeech.codes.codes import MAX_FRAMES
from vqspeech.errors import InputError
from vqspeech.files import check_target, opened_or_given, written

SUFFIX = ".vqs"
MAX_HEADER = 1024
"""Bytes; more than the largest header."""
MAX_BLOCK = bitstream.MAX_PAYLOAD + 32
MAX_SALVAGE_BYTES = 1 << 30
SALVAGE = "; --salvage keeps the intact blocks"

Named = str | os.PathLike | BinaryIO
"""A file by its name, or as a binary file object."""
CoderFor = Callable[[Header], BlockCoder]
"""Raises InputError where the codes are another model's; its message begins with a verb."""


@dataclass(frozen=True)
class Contents:
    """What was read. codes: uint16 [F]. lost: numbers of the blocks that salvage left out."""

    header: Header
    codes: np.ndarray
    lost: tuple[int, ...] = ()

    @property
    def samples(self) -> int:
        """Samples that `codes` stand for: all, or those of the blocks that were kept."""
        header, size = self.header, BLOCK_CODES * self.header.hop
        return header.samples - sum(
            min(size, header.samples - number * size) for number in self.lost
        )


@dataclass(frozen=True)
class Measured:
    """Sizes of a file in bytes. payload: of the codes alone."""

    header: Header
    size: int
    payload: int


def save_vqs(path: Named, header: Header, codes: np.ndarray, coder: BlockCoder) -> int:
    """Write codes uint16 [F] to `path` (.vqs), whole or not at all; returns the file's bytes.

    Raises InputError for another extension, a missing folder, a folder or device there, a full
    disk.
    """
    with written(path, check_vqs_target) as file:
        for part in bitstream.encoded(header, codes, coder):
            file.write(part)
        return file.tell()


def load_vqs(path: Named, coder_for: CoderFor, salvage: bool = False) -> Contents:
    """Read a `.vqs` file.

    salvage: keep the blocks that are intact, in their order, and leave out the others. Raises
    InputError: no such file, not a `.vqs` file, cut off, damaged, blocks out of order, more bytes
    than blocks, a newer version; and what `coder_for` raises, for the codes of another model.
    """
    with opened_or_given(path, "a codes file") as (path, file, size):
        header, data, at = _start(path, file, size, salvage)
        try:
            coder = coder_for(header)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        parts: dict[int, np.ndarray] = {}
        if salvage:
            for block in _intact(data, at, header):
                if block.number not in parts:
                    try:
                        parts[block.number] = bitstream.decoded(block, header, coder)
                    except ValueError:
                        continue
            if header.blocks and not parts:
                raise InputError(f"{path}: has no intact block left; copy it again")
        else:
            for block in _in_order(path, data, at, header):
                try:
                    parts[block.number] = bitstream.decoded(block, header, coder)
                except ValueError as error:
                    raise InputError(f"{path}: block {block.number} {error}{SALVAGE}") from None
    lost = tuple(sorted(set(range(header.blocks)) - set(parts)))
    kept = [parts[number] for number in sorted(parts)]
    return Contents(header, np.concatenate([np.zeros(0, np.uint16), *kept]), lost)


def measure_vqs(path: str | os.PathLike) -> Measured:
    """Header and sizes of a file, its checksums verified; no model is needed. Raises InputError."""
    with opened_or_given(path, "a codes file") as (path, file, size):
        header, data, at = _start(path, file, size, False)
        payload = sum(len(block.payload) for block in _in_order(path, data, at, header))
    return Measured(header, len(data), payload)


def _start(path: str, file: BinaryIO, size: int, salvage: bool) -> tuple[Header, memoryview, int]:
    """(header, the whole file, where its blocks begin), if the file's size bears the header out."""
    head = file.read(MAX_HEADER)
    try:
        header, at = bitstream.read_header(head)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if header.frames > MAX_FRAMES:
        raise InputError(f"{path}: declares more than {MAX_FRAMES} codes; it is damaged")
    if salvage:
        if size > MAX_SALVAGE_BYTES:
            raise InputError(f"{path}: is too large to salvage; cut the rubbish away first")
    elif at + header.blocks * bitstream.MIN_BLOCK > size:
        raise InputError(
            f"{path}: is cut off (its header declares {header.samples} samples, {size} bytes "
            f"cannot hold them){SALVAGE}"
        )
    elif size > at + header.blocks * MAX_BLOCK:
        raise InputError(f"{path}: is longer than its header says{SALVAGE}")
    return header, memoryview(head + file.read(size - len(head))), at


def _in_order(path, data: memoryview, at: int, header: Header) -> Iterator[Block]:
    """All blocks, which must stand in their order and fill the file. Raises InputError."""
    seed = bitstream.seed_of(header)
    for number in range(header.blocks):
        try:
            block = bitstream.read_block(data, at, header, seed)
        except ValueError as error:
            raise InputError(
                f"{path}: block {number} of {header.blocks} {error}{SALVAGE}"
            ) from None
        if block.number != number:
            raise InputError(
                f"{path}: block {block.number} stands where block {number} should{SALVAGE}"
            )
        yield block
        at = block.end
    if at < len(data):
        raise InputError(f"{path}: has {len(data) - at} bytes after its last block{SALVAGE}")


def _intact(data: memoryview, at: int, header: Header) -> Iterator[Block]:
    """The blocks whose checksums are right, wherever they stand."""
    seed, whole = bitstream.seed_of(header), bytes(data)
    while (at := whole.find(bitstream.MARK, at)) >= 0:
        try:
            block = bitstream.read_block(data, at, header, seed)
        except ValueError:
            at += 1
            continue
        yield block
        at = block.end


def is_vqs(path: str | os.PathLike) -> bool:
    """Whether a path names a .vqs file."""
    return os.fspath(path).lower().endswith(SUFFIX)


def check_vqs_target(path: str | os.PathLike) -> Path:
    """The real path that `save_vqs` would write. Raises InputError as that does."""
    return check_target(path, (SUFFIX,), "packed codes")
