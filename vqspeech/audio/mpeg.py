"""MPEG audio (MP3, MP2) frame by frame: where its streams begin and end, and how long they are.

libsndfile estimates the length of a file without a Xing header from its first frame and reads no
further; it stops where the first header of a file put together from several says, and libmpg123
beneath it prints what it thinks of all that is not a frame. So it is given frames only, under a
header that says how many there are. ISO/IEC 11172-3, section 2.4; the header of streams of varying
bit rate is Xing's, as LAME writes it.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from vqspeech.audio.splicing import Piece

HEADER = 4
_BIT_RATES = {  # kbit/s by (MPEG 1?, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_HALVINGS = {3: 0, 2: 1, 0: 2}
"""Of the sampling rate, by the version bits: MPEG 1, 2, 2.5."""

_LOOKED_AT = HEADER + 32 + 12
"""Bytes of a frame in which Xing's header begins."""

_RESYNC_BLOCK = 1 << 16
_MARKS = re.compile(rb"\xff[\xe0-\xff]|ID3|APETAGEX|TAG|LYRICSBEGIN")
_LONGEST_MARK = 11
_LONGEST_LYRICS = 1 << 13


_TAG = b"ID3\x04\0\0\0\0\0\x20" + bytes(32)
"""An empty tag. libsndfile takes a file that begins with frames for MPEG only where there is no
file `._` in the current folder, which it would take for a resource fork."""


class Frame(NamedTuple):
    """What the four bytes of a frame's header say."""

    length: int
    samples: int
    kind: tuple[int, int, int, bool]
    """Version bits, layer, sampling rate and whether it is mono: the same in all of a stream."""
    side: int
    """Bytes of side information of layer III, before which nothing else stands."""


@dataclass
class Stream:
    """Frames that one encoder wrote: pieces of the file, and how many samples they make.

    declared: frames, by Xing's header, which is at `info`; None without one. cut: the last frame is
    not whole.
    """

    first: Frame
    header: bytes
    pieces: list[range] = field(default_factory=list)
    frames: int = 0
    declared: int | None = None
    info: int | None = None
    cut: bool = False

    def add(self, start: int, frame: Frame) -> None:
        """Take in a frame at `start`."""
        if self.pieces and self.pieces[-1].stop == start:
            self.pieces[-1] = range(self.pieces[-1].start, start + frame.length)
        else:
            self.pieces.append(range(start, start + frame.length))

    def spliced(self) -> list[Piece]:
        """The stream with a header that declares what there is."""
        return [_TAG, *self._with_header()]

    def _with_header(self) -> list[Piece]:
        count = struct.pack(">I", self.frames)
        if self.first.kind[1] != 3:
            return list(self.pieces)
        if self.info is None:
            return [_info_frame(self.header, count), *self.pieces]
        if self.declared is None or self.frames <= self.declared:
            return list(self.pieces)
        whole, *others = self.pieces
        return [range(whole.start, self.info), count, range(self.info + 4, whole.stop), *others]


@lru_cache(maxsize=1 << 12)
def parse_header(header: bytes) -> Frame | None:
    """The frame that begins with these 4 bytes; None if none does, or one of free format."""
    if len(header) < HEADER or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bits, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3 or header[3] & 3 == 2:
        return None
    hz = _RATES[rate] >> _HALVINGS[version]
    bit_rate = 1000 * _BIT_RATES[version == 3, layer][bits - 1]
    samples = {1: 384, 2: 1152, 3: 1152 if version == 3 else 576}[layer]
    slot = 4 if layer == 1 else 1
    length = (samples // 8 // slot * bit_rate // hz + padding) * slot
    mono = header[3] >> 6 == 3
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    return Frame(length, samples, (version, layer, hz, mono), side)


def is_mpeg(file: BinaryIO, start: int, stop: int, frames: int = 3) -> bool:
    """Whether frames of one kind begin at `start`: so many of them, or all that there are."""
    kind, position = None, start
    for index in range(frames):
        file.seek(position)
        frame = parse_header(file.read(HEADER))
        if frame is None:
            return index > 0 and tag_length(file, position, stop) > 0
        if kind not in (None, frame.kind):
            return False
        kind, position = frame.kind, position + frame.length
        if position >= stop:
            return position == stop or index > 0
    return True


def find_streams(file: BinaryIO, start: int, stop: int) -> tuple[list[Stream], list[range]]:
    """The streams from `start` to `stop`, and what is between and after them that is neither frame
    nor tag. `file` must be seekable; its position is left anywhere."""
    streams: list[Stream] = []
    junk: list[range] = []
    position = start
    while position + HEADER <= stop:
        file.seek(position)
        head = file.read(_LOOKED_AT)
        frame, stream = parse_header(head[:HEADER]), streams[-1] if streams else None
        same = stream is not None and frame is not None and frame.kind == stream.first.kind
        if frame and position + frame.length > stop and same:
            streams[-1].cut = True
            break
        if frame and (same or is_mpeg(file, position, stop)) and position + frame.length <= stop:
            declared = _declared(head, frame)
            if stream is None or not same or (declared and stream.frames):
                stream = Stream(frame, head[:HEADER])
                streams.append(stream)
            stream.add(position, frame)
            if declared:
                stream.declared, stream.info = declared[0], position + declared[1]
            else:
                stream.frames += 1
            position += frame.length
        elif length := tag_length(file, position, stop):
            position += length
        else:
            end = _resync(file, position + 1, stop)
            junk.append(range(position, end))
            position = end
    return streams, junk


def _declared(head: bytes, frame: Frame) -> tuple[int | None, int] | None:
    """(frames declared, offset in the frame where they are) of a frame that is Xing's header."""
    at = HEADER + frame.side
    if frame.kind[1] != 3 or head[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags, count = struct.unpack(">II", head[at + 4 : at + 12].ljust(8, b"\0"))
    return (count if flags & 1 else None), at + 8


def _info_frame(header: bytes, count: bytes) -> bytes:
    """A frame of silence with Xing's header, for a stream whose frames begin with `header`."""
    # Without checksum; of a bit rate at which the frame has room for this, whatever the stream's.
    first = bytes([header[0], header[1] | 1, 0x80 | header[2] & 0x0C, header[3]])
    frame = parse_header(first)
    assert frame is not None, "only bit rate, padding and checksum differ from a valid header"
    content = first + bytes(frame.side) + b"Info" + struct.pack(">I", 1) + count
    return content.ljust(frame.length, b"\0")


def tag_length(file: BinaryIO, start: int, stop: int) -> int:
    """Bytes of the ID3, APE or Lyrics3 tag, or of padding, that begins at `start`; 0 for none."""
    file.seek(start)
    head = file.read(32)
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 0x80:
        sizes = enumerate(reversed(head[6:10]))
        size = 10 + sum(byte << 7 * place for place, byte in sizes) + (10 if head[5] & 0x10 else 0)
    elif head[:8] == b"APETAGEX" and len(head) == 32:
        # The size counts everything but the header.
        size = struct.unpack("<I", head[12:16])[0] + (32 if head[23] & 0x80 else 0)
    elif head[:4] == b"TAG+":
        size = 227
    elif head[:3] == b"TAG":
        size = 128
    elif head[:11] == b"LYRICSBEGIN":
        return _lyrics_length(file, start, stop)
    else:
        return 0
    return size if start + size <= stop else 0


def _lyrics_length(file: BinaryIO, start: int, stop: int) -> int:
    file.seek(start)
    content = file.read(min(stop - start, _LONGEST_LYRICS))
    end = max(content.find(b"LYRICS200"), content.find(b"LYRICSEND"))
    return end + 9 if end > 0 else 0


def _resync(file: BinaryIO, start: int, stop: int) -> int:
    """Where frames or a tag begin again from `start` on; `stop` if nowhere."""
    for position in _candidates(file, start, stop):
        if is_mpeg(file, position, stop) or tag_length(file, position, stop):
            return position
    return stop


def _candidates(file: BinaryIO, start: int, stop: int) -> Iterator[int]:
    """Offsets at which a frame or a tag may begin."""
    while start < stop:
        size = min(_RESYNC_BLOCK, stop - start)
        file.seek(start)
        block = file.read(size + _LONGEST_MARK)
        for mark in _MARKS.finditer(block):
            if mark.start() < size:
                yield start + mark.start()
        start += size
