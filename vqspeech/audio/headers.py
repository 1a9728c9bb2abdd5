"""Sizes that audio headers declare, checked against the real size of the file.

libsndfile shortens a cut-off WAV, AIFF, AU, W64 or CAF file to what is there and says nothing; a
codec that did the same would lose the end of a recording unnoticed. But a program that writes into
a pipe cannot know the size beforehand: it leaves 0, or the most that the field holds, rounded down
to whole blocks. Such a file is as long as it is.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_CHUNKS = 1_000
"""Chunks looked at before the data chunk; a file with more of them is not a recording."""

OPEN_SIZES = (
    range(0x7EFF0000, 0x7F010000),  # AIFF by sox: 0x7f000000
    range(0x7FFE0000, 0x80020000),  # sox, arecord, mpv, espeak: around 2 GiB
    range(0xFFFE0000, 1 << 32),  # ffmpeg, lame: -1
)
"""32-bit sizes that stand for "not known": blocks may have up to 65,535 bytes."""

MAX_SIZE = {"<I": (1 << 32) - 1, ">I": (1 << 32) - 1, "<Q": 1 << 62, ">Q": 1 << 62}
"""The most bytes that a size field can be made to say."""

W64_ID = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


@dataclass(frozen=True)
class SizeField:
    """Where a header declares a size: at `offset`, as struct's `format`, `added` to the samples'
    bytes."""

    offset: int
    format: str
    added: int


@dataclass(frozen=True)
class Container:
    """Where the samples of a WAV, RF64, AIFF, AU, W64 or CAF file are.

    data: offset of the first byte. size: bytes of samples declared; None where a streaming writer
    has left it open. fields: what must be written for libsndfile to find `size` bytes.
    """

    data: int
    size: int | None
    fields: tuple[SizeField, ...] = ()

    def missing(self, stop: int) -> int:
        """Bytes of samples declared beyond `stop`."""
        return 0 if self.size is None else max(0, self.data + self.size - stop)

    def patches(self, stop: int) -> dict[int, bytes] | None:
        """Bytes to put into the header so that it declares all up to `stop`; None if it cannot."""
        size = max(0, stop - self.data)
        if any(size + field.added > MAX_SIZE[field.format] for field in self.fields):
            return None
        return {
            field.offset: struct.pack(field.format, size + field.added) for field in self.fields
        }


def read_container(file: BinaryIO, start: int, stop: int) -> Container | None:
    """The container that begins at `start` of `file` and ends by `stop`; None for any other kind,
    and where the header ends before its samples begin.

    `file` must be seekable; its position is left anywhere.
    """
    file.seek(start)
    head = file.read(16)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return _riff(file, head, start, stop)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _aiff(file, start, stop)
    if head[:4] == b".snd" and len(head) >= 12:
        offset, size = struct.unpack(">II", head[4:12])
        known = None if left_open(size) else size
        return Container(start + offset, known, (SizeField(start + 8, ">I", 0),))
    if head == W64_ID:
        return _w64(file, start, stop)
    if head[:4] == b"caff":
        return _caf(file, start, stop)
    return None


def left_open(size: int) -> bool:
    """Whether a writer that did not know the size would write this one (32 bits)."""
    return size == 0 or any(size in sizes for sizes in OPEN_SIZES)


def _chunks(
    file: BinaryIO, start: int, stop: int, form: str, step: Callable[[int], int]
) -> Iterator[tuple[bytes, int, int]]:
    """(name, size, offset of the content) of chunks.

    form: struct's, of what stands before a chunk's content. step: its declared size to the bytes
    from its beginning to the next one's.
    """
    length = struct.calcsize(form)
    for _ in range(MAX_CHUNKS):
        if start + length > stop:
            return
        file.seek(start)
        head = file.read(length)
        if len(head) < length:  # the file became shorter
            return
        name, size = struct.unpack(form, head)
        yield name, size, start + length
        start += step(size)


def _riff_step(size: int) -> int:
    return 8 + size + size % 2


def _w64_step(size: int) -> int:
    return max(24, size + -size % 8)  # sizes count these 24 bytes


def _caf_step(size: int) -> int:
    return 12 + size


def _riff(file: BinaryIO, head: bytes, start: int, stop: int) -> Container | None:
    order = ">" if head[:4] == b"RIFX" else "<"
    riff_end = start + 8 + struct.unpack(order + "I", head[4:8])[0]
    long_sizes = None
    for name, size, content in _chunks(file, start + 12, stop, order + "4sI", _riff_step):
        if name == b"ds64":
            sizes = file.read(16)
            long_sizes = (content, struct.unpack("<QQ", sizes)[1]) if len(sizes) == 16 else None
        if name != b"data":
            continue
        if long_sizes and head[:4] == b"RF64" and size == 0xFFFFFFFF:
            fields = (
                SizeField(long_sizes[0], "<Q", content - start - 8),
                SizeField(long_sizes[0] + 8, "<Q", 0),
            )
            size = long_sizes[1]
            return Container(content, None if size in (0, (1 << 64) - 1) else size, fields)
        fields = (
            SizeField(start + 4, order + "I", content - start - 8),
            SizeField(content - 4, order + "I", 0),
        )
        if size == 0 and riff_end == stop:
            return Container(content, 0)  # closed properly, without samples
        opened = left_open(size) and not _chunks_fill(file, content + size, stop, order + "4sI")
        return Container(content, None if opened else size, fields)
    return None


def _chunks_fill(file: BinaryIO, start: int, stop: int, form: str) -> bool:
    """Whether there is nothing but chunks from `start` to `stop`: a size that looks as if it had
    been left open is then a true one."""
    end = start
    for name, size, content in _chunks(file, start + start % 2, stop, form, _riff_step):
        if not name.strip().isalnum():
            return False
        end = content + size
    return abs(end - stop) <= 1  # with or without padding


def _aiff(file: BinaryIO, start: int, stop: int) -> Container | None:
    for name, size, content in _chunks(file, start + 12, stop, ">4sI", _riff_step):
        if name == b"SSND":
            data = content + 8  # after offset and block size
            fields = SizeField(start + 4, ">I", data - start - 8), SizeField(content - 4, ">I", 8)
            opened = left_open(size) and not _chunks_fill(file, content + size, stop, ">4sI")
            return Container(data, None if opened else max(0, size - 8), fields)
    return None


def _w64(file: BinaryIO, start: int, stop: int) -> Container | None:
    for name, size, content in _chunks(file, start + 40, stop, "<16sQ", _w64_step):
        if name == _W64_DATA:
            # No more than the 24 bytes before it, or close to all that 63 bits hold, is no size.
            known = size - 24 if 24 < size < 1 << 62 else None
            return Container(content, known, (SizeField(content - 8, "<Q", 24),))
    return None


def _caf(file: BinaryIO, start: int, stop: int) -> Container | None:
    for name, size, content in _chunks(file, start + 8, stop, ">4sQ", _caf_step):
        if name == b"data":
            # An edit count comes before the samples; -1 is how CAF says "not known".
            known = size - 4 if 4 < size < 1 << 62 else None
            return Container(content + 4, known, (SizeField(content - 8, ">Q", 4),))
    return None
