"""Sizes that audio headers declare, checked against the real size of the file.

libsndfile shortens a cut-off WAV, AIFF, AU or W64 file to what is there and says nothing; a codec
that did the same would lose the end of a recording unnoticed. FLAC needs no help: its decoder
fails. Ogg has no length in its header, so a cut Ogg file is simply a shorter one.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

STREAMED_SIZES = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000)
"""Data sizes that programs write into a WAV header when they cannot know it (ffmpeg, arecord, sox
into a pipe): the file is as long as it is."""

MAX_CHUNKS = 10_000
"""Chunks looked at before the data chunk; a file with more of them is not a recording."""


@dataclass(frozen=True)
class SizeCheck:
    """What a header says: bytes `missing` at the end; `empty` if it declares no samples.

    `patch` is (offset, bytes) that makes the header of a streamed WAV readable to libsndfile, or
    None.
    """

    missing: int = 0
    empty: bool = False
    patch: tuple[int, bytes] | None = None


def check_size(file: BinaryIO, file_size: int) -> SizeCheck:
    """Compare the size that a WAV, RF64, AIFF, AU or W64 header declares with `file_size` bytes.

    Any other kind of file passes. `file` must be seekable; its position is left anywhere.
    """
    file.seek(0)
    head = file.read(40)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return _check_riff(file, head, file_size)
    declared = 0
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        declared = 8 + struct.unpack(">I", head[4:8])[0]
    elif head[:4] == b".snd" and len(head) >= 12:
        offset, size = struct.unpack(">II", head[4:12])
        declared = 0 if size in STREAMED_SIZES else offset + size
    elif head[:4] == b"riff" and len(head) >= 24:
        declared = struct.unpack("<Q", head[16:24])[0]
    return SizeCheck(missing=max(0, declared - file_size))


def _check_riff(file: BinaryIO, head: bytes, file_size: int) -> SizeCheck:
    order = ">" if head[:4] == b"RIFX" else "<"
    riff_end = 8 + struct.unpack(order + "I", head[4:8])[0]
    large_size = None
    position = 12
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        size = struct.unpack(order + "I", chunk[4:])[0]
        start = position + 8
        if chunk[:4] == b"ds64":
            sizes = file.read(16)
            large_size = struct.unpack("<QQ", sizes)[1] if len(sizes) == 16 else None
        if chunk[:4] == b"data":
            if head[:4] == b"RF64" and size == 0xFFFFFFFF and large_size is not None:
                size = large_size
            elif size in STREAMED_SIZES:
                return SizeCheck(empty=start == file_size)
            if size == 0:
                # A file closed properly without samples has a RIFF size that matches; a streamed
                # one has not.
                streamed = start < file_size and riff_end != file_size
                patch = (position + 4, b"\xff\xff\xff\xff") if streamed else None
                return SizeCheck(empty=not streamed, patch=patch)
            return SizeCheck(missing=max(0, start + size - file_size))
        position = start + size + size % 2
    return SizeCheck()


class PatchedFile:
    """A binary file read through a few replaced header bytes; what soundfile needs and no more."""

    def __init__(self, file: BinaryIO, offset: int, replacement: bytes):
        self._file, self._offset, self._replacement = file, offset, replacement
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        start = self._file.tell()
        data = bytearray(self._file.read(size))
        for i, byte in enumerate(self._replacement):
            if 0 <= self._offset + i - start < len(data):
                data[self._offset + i - start] = byte
        return bytes(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
