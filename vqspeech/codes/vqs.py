"""`.vqs` files: written whole or not at all; read as if they were hostile.

Nothing that a header declares takes memory before the size of the file bears it out, and codes are
kept block by block, each after its checksums.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vqspeech.codes import bitstream
from vqspeech.codes.bitstream import Block, BlockCoder
from vqspeech.codes.header import (
    BLOCK_CODES,
    MAGIC,
    MAX_HEADER,
    Header,
    header_bytes,
    is_header,
    seed_of,
)
from vqspeech.codes.vqs_reader import SALVAGE, CoderFor, VqsReader
from vqspeech.errors import InputError
from vqspeech.files import check_target, opened_or_given, written

SUFFIX = ".vqs"
MAX_SALVAGE_BYTES = 1 << 30

Named = str | os.PathLike | BinaryIO
"""A file by its name, or as a binary file object."""


@dataclass(frozen=True)
class Contents:
    """What was read. codes: uint16 [F], or [levels, F] of several. samples: that they stand for:
    all, or those of the blocks that were kept. kept: how many blocks. missing: how many salvage
    left out; lost: the numbers of the first of these. cut: whether a stream stopped before its end.
    behind: bytes that stand behind the end and were left out.
    """

    header: Header
    codes: np.ndarray
    samples: int
    kept: int
    missing: int = 0
    lost: tuple[int, ...] = ()
    cut: bool = False
    behind: int = 0


@dataclass(frozen=True)
class Measured:
    """Sizes of a file: of all in bytes, of the codes alone; its blocks, frames and samples."""

    header: Header
    size: int
    payload: int
    blocks: int
    frames: int
    samples: int


def save_vqs(path: Named, header: Header, codes: np.ndarray, coder: BlockCoder) -> int:
    """Write codes uint16 [F] or [levels, F], as `header` says, to `path` (.vqs), whole or not at
    all; returns the file's bytes.

    Raises InputError for another extension, a missing folder, a folder or device there, a full
    disk.
    """
    with written(path, check_vqs_target) as file:
        for part in bitstream.encoded(header, codes, coder):
            file.write(part)
        return file.tell()


def load_vqs(
    path: Named, coder_for: CoderFor, salvage: bool = False, bitrate: float | None = None
) -> Contents:
    """Read a `.vqs` file.

    salvage: keep the blocks that are intact, in their order, and leave out the others. bitrate:
    read only those levels that fit into so many bit/s. Raises InputError: no such file, not a
    `.vqs` file, cut off, damaged, blocks out of order, more bytes than blocks, a newer version, not
    one level that fits; and what `coder_for` raises, for the codes of another model.
    """
    with opened_or_given(path, "a codes file") as (path, file, size):
        reader = _reader(path, file, size, salvage)
        codes = reader.codes(coder_for, bitrate)
        if salvage and reader.header.samples is not None:
            kept = reader.header_at(bitrate)
            return _salvaged(path, file, reader.header, kept, coder_for(kept))
        found = _joined(codes)
    about = (reader.samples, reader.kept, reader.missing, reader.lost, reader.cut)
    return Contents(reader.header, found, *about, reader.behind)


def measure_vqs(path: Named) -> Measured:
    """Header and sizes of a file, its checksums verified; no model is needed. Raises InputError."""
    with opened_or_given(path, "a codes file") as (path, file, size):
        reader = _reader(path, file, size, False)
        reader.measure()
    counts = (reader.payload, reader.kept, reader.frames, reader.samples)
    return Measured(reader.header, size, *counts)


def vqs_header(path: Named) -> Header:
    """The header of a file or saved stream; nothing else is read. Raises InputError."""
    with opened_or_given(path, "a codes file") as (path, file, _):
        return VqsReader(path, lambda size: file.read(min(size, MAX_HEADER))).header


def reduce_vqs(path: Named, out: Named, bitrate: float) -> int:
    """Write what of a file's levels fits into `bitrate` bit/s to `out`, whole or not at all;
    nothing is decoded. Returns the samples at 16 kHz that its codes stand for. Raises InputError as
    `load_vqs` and `save_vqs` do, and where not one level fits."""
    with opened_or_given(path, "a codes file") as (path, file, size):
        reader = _reader(path, file, size, False)
        with written(out, check_vqs_target) as target:
            for part in reader.reduced(bitrate):
                target.write(part)
        return reader.samples


def _reader(path: str, file: BinaryIO, size: int, salvage: bool) -> VqsReader:
    """A reader of an open file, if its `size` bears its header out."""
    reader = VqsReader(path, file.read, salvage)
    header = reader.header
    if salvage:
        if size > MAX_SALVAGE_BYTES:
            raise InputError(f"{path}: is too large to salvage; cut the rubbish away first")
    elif header.samples is not None:
        at = len(header_bytes(header))
        if at + header.blocks * (bitstream.MIN_BLOCK + header.levels - 1) > size:
            raise InputError(
                f"{path}: is cut off (its header declares {header.samples} samples, {size} bytes "
                f"cannot hold them){SALVAGE}"
            )
    return reader


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Codes of blocks one behind the other; [0] of none."""
    parts = list(parts)
    return np.concatenate(parts, -1) if parts else np.zeros(0, np.uint16)


def _salvaged(
    path: str, file: BinaryIO, header: Header, kept: Header, coder: BlockCoder
) -> Contents:
    """The intact blocks of a file, wherever they stand in it; of the levels that `kept` has."""
    at = len(header_bytes(header))
    file.seek(at)
    parts: dict[int, np.ndarray] = {}
    data = file.read()
    other, end = _other(data), 0
    for block in _intact(data[:other], header):
        end = block.end
        if block.number not in parts:
            try:
                parts[block.number] = bitstream.decoded(block, kept, coder)
            except ValueError:
                continue
    if header.blocks and not parts:
        raise InputError(f"{path}: has no intact block left; copy it again")
    lost = tuple(sorted(set(range(header.blocks)) - set(parts)))
    intact = [parts[number] for number in sorted(parts)]
    total = header.samples or 0
    size = BLOCK_CODES * header.hop
    samples = sum(min(size, total - number * size) for number in parts)
    # Where the last block is lost, what stands in its place is told by its number.
    behind = len(data) - (other if header.blocks - 1 in lost else end)
    return Contents(header, _joined(intact), samples, len(intact), len(lost), lost, behind=behind)


def _other(data: bytes) -> int:
    """Where another file begins, which was put behind the first; the end if none does."""
    at = -1
    while (at := data.find(MAGIC, at + 1)) >= 0:
        if is_header(data[at : at + MAX_HEADER]):
            return at
    return len(data)


def _intact(data: bytes, header: Header) -> Iterator[Block]:
    """The blocks whose checksums are right, wherever they stand."""
    seed, view, at = seed_of(header), memoryview(data), 0
    while (at := data.find(bitstream.MARK, at)) >= 0:
        try:
            block = bitstream.read_block(view, at, header, seed)
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
