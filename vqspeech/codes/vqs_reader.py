"""A `.vqs` file or stream read once from front to back, each block as it comes: from a pipe too.

It is read as if it were hostile: no more is held than one block can have.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

import numpy as np

from vqspeech.audio.signal import SAMPLE_RATE, frames_for
from vqspeech.codes import bitstream
from vqspeech.codes.bitstream import END_MARK, MARK, Block, BlockCoder, End
from vqspeech.codes.codes import MAX_FRAMES, levels_within
from vqspeech.codes.header import (
    MAGIC,
    MAX_HEADER,
    Header,
    header_bytes,
    is_header,
    read_header,
    seed_of,
)
from vqspeech.codes.numbers import CutOffError
from vqspeech.codes.stream import CodeStream
from vqspeech.errors import InputError

READ_BYTES = 1 << 16
SALVAGE = "; --salvage keeps the intact blocks"
MOST_NAMED = 1000
"""Lost blocks that are told by number: a hostile block may claim any."""

CoderFor = Callable[[Header], BlockCoder]
"""Raises InputError where the codes are another model's; its message begins with a verb."""


class VqsReader:
    """The header, and then the blocks.

    kept, frames, payload: blocks so far, their codes, and the bytes of these. Known at the end:
    samples, of what was kept; missing and lost: how many blocks salvage left out, and the numbers
    of the first of them; cut: whether a stream stopped before its end; behind: bytes that stand
    behind the end and were left out.
    """

    def __init__(self, name: str, read: Callable[[int], bytes], salvage: bool = False):
        """name: for messages. read: up to so many bytes, as soon as there are some; b"" at the end.

        salvage: go on behind what is damaged, and end quietly where the stream is cut off. Raises
        InputError: no `.vqs` file, a damaged header, a newer version.
        """
        self._name, self._read, self._salvage = name, read, salvage
        self._data, self._come = b"", 0
        self.header = self._header()
        self._seed = seed_of(self.header)
        self.kept = self.frames = self.payload = self.missing = self.samples = self.behind = 0
        self.lost: tuple[int, ...] = ()
        self._next, self._end = 0, None  # number of the block that should come; the stream's end

    _end: End | None

    def codes(self, coder_for: CoderFor, bitrate: float | None = None) -> CodeStream:
        """The codes of the blocks, as these come: [n], or [levels, n] of several; of those levels
        that fit into `bitrate` bit/s (None: all), the others are passed over. Raises InputError: at
        once what `coder_for` does, and where not one level fits; later for a block that is damaged,
        out of place or cut off."""
        header = self.header_at(bitrate)
        try:
            coder = coder_for(header)
        except InputError as error:
            raise self._refusal(str(error)) from None
        return CodeStream(self._codes(header, coder), levels=header.levels)

    def _codes(self, header: Header, coder: BlockCoder) -> Generator[np.ndarray, None, int]:
        for block in self._blocks():
            try:
                codes = bitstream.decoded(block, header, coder)
            except ValueError as error:
                if self._salvage:
                    continue
                raise self._refusal(f"block {block.number} {error}{SALVAGE}") from None
            self._keep(block)
            yield codes
        self._finish()
        return self.samples

    def measure(self) -> None:
        """Read to the end, the checksums verified. Raises InputError as `codes` does."""
        for block in self._blocks():
            self._keep(block)
        self._finish()

    def reduced(self, bitrate: float) -> Iterator[bytes]:
        """The bytes of a file or stream that has only those levels that fit into `bitrate` bit/s,
        block by block as they come; nothing is decoded, and no model needed. Raises InputError as
        `codes` does, and where not one level fits."""
        header = self.header_at(bitrate)
        yield header_bytes(header)
        for block in self._blocks():
            self._keep(block)
            known = (block.count, block.payloads, block.codes_crc)
            yield bitstream.block_bytes(header, block.number, *known)
        self._finish()
        if self._end is not None:
            yield bitstream.end_bytes(header, self._end.blocks, self._end.samples)

    def header_at(self, bitrate: float | None) -> Header:
        """The header with only those levels that fit into `bitrate` bit/s; None: as it is. Raises
        InputError where not one fits."""
        header = self.header
        if bitrate is None:
            return header
        try:
            levels = levels_within(bitrate, SAMPLE_RATE / header.hop * header.bits)
        except InputError as error:
            raise self._refusal(str(error)) from None
        levels = min(levels, header.levels)
        return replace(header, levels=levels, upper=header.upper if levels > 1 else "")

    def _keep(self, block: Block) -> None:
        self._lose(self._next, block.number)
        self._next = block.number + 1
        self.kept, self.frames = self.kept + 1, self.frames + block.count
        self.payload += sum(map(len, block.payloads))
        if self.frames > MAX_FRAMES:
            raise self._refusal(f"has more than {MAX_FRAMES} codes; cut it into shorter ones")

    @property
    def cut(self) -> bool:
        return self.header.samples is None and self._end is None

    def _lose(self, first: int, end: int) -> None:
        self.missing += end - first
        self.lost += tuple(range(first, min(end, first + MOST_NAMED - len(self.lost))))

    def _finish(self) -> None:
        """What is only known at the end: is all there, and how long is it?"""
        header, end = self.header, self._end
        total = header.samples if end is None else end.samples
        blocks = end.blocks if end else None if header.samples is None else header.blocks
        if blocks is not None:
            self._lose(self._next, blocks)
        if self._salvage and not self.kept and blocks != 0:
            raise self._refusal("has no intact block left; copy it again")
        self.samples = self.frames * header.hop
        if total is not None and self._next == blocks:  # whose last frame may be a part of one
            self.samples -= frames_for(total, header.hop) * header.hop - total
        if not self._salvage and self.samples != total:
            raise self._refusal(f"has other codes than its end says{SALVAGE}")

    def _blocks(self) -> Iterator[Block]:
        """The intact blocks in their order: all of them, or with salvage those that rise."""
        known = None if self.header.samples is None else self.header.blocks
        while known is None or self._next < known:
            try:
                found = self._parsed()
                if not self._salvage:
                    self._check_place(found)
            except ValueError as error:
                if not self._salvage:
                    raise self._wrong(error, known) from None
                if self._other_begins():
                    break
                if not self._skip():
                    return
                continue
            self._data = self._data[found.end :]
            if isinstance(found, End):
                self._end = found
                break
            if found.number >= self._next:
                yield found
        if not self._salvage and self._other_begins():
            at = self._come - len(self._data)
            raise self._refusal(f"holds another file from byte {at} on; split it there")
        self.behind = self._rest()
        if not self._salvage and self.behind:
            raise self._refusal(f"has {self.behind} bytes after its last block{SALVAGE}")

    def _wrong(self, error: ValueError, known: int | None) -> InputError:
        if not self._data and known is None:
            return self._refusal(
                f"is cut off after {self._next} blocks, its end is missing{SALVAGE}"
            )
        if isinstance(error, _MisplacedError):
            return self._refusal(f"{error}{SALVAGE}")
        of = "" if known is None else f" of {known}"
        return self._refusal(f"block {self._next}{of} {error}{SALVAGE}")

    def _check_place(self, found: Block | End) -> None:
        if isinstance(found, Block) and found.number != self._next:
            raise _MisplacedError(f"block {found.number} stands where block {self._next} should")
        if isinstance(found, End) and found.blocks != self._next:
            raise _MisplacedError(f"its end stands where block {self._next} should")

    def _parsed(self) -> Block | End:
        """The block or end that the data begin with, once it is all there. ValueError if there is
        none, CutOffError if it is cut off."""
        while True:
            data = memoryview(self._data)
            try:
                if len(data) < len(MARK):
                    raise CutOffError("is cut off")
                end = bitstream.read_end(data, 0, self.header, self._seed)
                return end or bitstream.read_block(data, 0, self.header, self._seed)
            except CutOffError:
                if not self._more():
                    raise

    def _other_begins(self) -> bool:
        """Whether the data begin with another header: that of a file put behind this one."""
        while len(self._data) < MAX_HEADER and self._data[: len(MAGIC)] == MAGIC[: len(self._data)]:
            if not self._more():
                break
        return is_header(self._data)

    def _rest(self) -> int:
        """Read to the end; how many bytes there were."""
        size, self._data = len(self._data), b""
        while self._more():
            size, self._data = size + len(self._data), b""
        return size

    def _skip(self) -> bool:
        """Go on to where the next block, or another file, may begin; whether there is such a
        place."""
        start = 1
        while True:
            found = [self._data.find(mark, start) for mark in (MARK, END_MARK, MAGIC)]
            if places := [place for place in found if place >= 0]:
                self._data = self._data[min(places) :]
                return True
            self._data = self._data[start:][1 - len(MAGIC) :]  # may be a part of a mark
            start = 0
            if not self._more():
                return False

    def _header(self) -> Header:
        while True:
            ended = len(self._data) >= MAX_HEADER or not self._more()
            try:
                found, at = read_header(self._data)
            except InputError as error:
                if ended or not self._data.startswith(MAGIC[: len(self._data)]):
                    raise self._refusal(str(error)) from None
                continue
            if found.samples is not None and found.frames > MAX_FRAMES:
                raise self._refusal(f"declares more than {MAX_FRAMES} codes; it is damaged")
            self._data = self._data[at:]
            return found

    def _more(self) -> bool:
        new = self._read(READ_BYTES)
        self._data += new
        self._come += len(new)
        return bool(new)

    def _refusal(self, why: str) -> InputError:
        return InputError(f"{self._name}: {why}")


class _MisplacedError(ValueError):
    """An intact block that is not the one that should stand there."""
