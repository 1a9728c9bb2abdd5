"""The recordings that a file holds, one after another: `cat a.opus b.opus > both.opus`.

libsndfile reads the first and says nothing of the others, or reads their headers as sound. Chained
Ogg (RFC 3533, section 4) and MP3 files put together are common, so all parts are found here and
read one after another. What else may follow a recording (tags, chunks, padding) is no part.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import BinaryIO

from vqspeech.audio import mpeg
from vqspeech.audio.headers import W64_ID, read_container
from vqspeech.audio.splicing import Piece, replaced

_FIRST_BLOCK, _BLOCK = 1 << 12, 1 << 20
"""Bytes searched at once, at first and at most: with the next recording near, only what is before
it is looked at."""
_TAGS = re.compile(rb"ID3|APETAGEX|TAG|LYRICSBEGIN")
_OGG_CODECS = rb"(?:OpusHead|\x01vorbis|\x7fFLAC|Speex   |\x80theora|fishead\x00|BBCD\x00)"
_KINDS = {
    "WAV": rb"(?:RIFF|RIFX|RF64)[\s\S]{4}WAVE",
    "AIFF": rb"FORM[\s\S]{4}AIF[FC]",
    "8SVX": rb"FORM[\s\S]{4}(?:8SVX|16SV)",
    "AU": rb"\.snd\x00\x00[\s\S]{6}\x00\x00\x00[\x01-\x1b]",
    "W64": re.escape(W64_ID),
    "CAF": rb"caff\x00\x01\x00\x00desc",
    "FLAC": rb"fLaC[\x00\x80]\x00\x00\x22",
    "Ogg": rb"OggS\x00[\x02\x06][\s\S]{20}[\s\S]{2}" + _OGG_CODECS,
    "NIST": rb"NIST_1A\n +\d+\n",
    "VOC": rb"Creative Voice File\x1a",
    "PVF": rb"PVF1\n\d",
    "AVR": rb"2BIT[\s\S]{8}(?:\x00\x00|\xff\xff)\x00[\x08\x10](?:\x00\x00|\xff\xff)",
    "PAF": rb"(?: paf|fap )\x00\x00\x00\x00",
    "WVE": rb"ALawSoundFile\*\*\x00",
}
"""What a file of each kind begins with: long enough never to be met by chance in sound."""

_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}

_NEEDLES = (
    ("WAV", b"WAVE", 8),
    ("AIFF", b"AIF", 8),
    ("8SVX", b"8SVX", 8),
    ("8SVX", b"16SV", 8),
    ("AU", b".snd\0\0", 0),
    ("W64", W64_ID, 0),
    ("CAF", b"caff\0\1\0\0desc", 0),
    ("FLAC", b"fLaC", 0),
    ("Ogg", b"OggS\0", 0),
    ("NIST", b"NIST_1A\n", 0),
    ("VOC", b"Creative Voice File", 0),
    ("PVF", b"PVF1\n", 0),
    ("PAF", b" paf\0\0\0\0", 0),
    ("PAF", b"fap \0\0\0\0", 0),
    ("AVR", b"2BIT", 0),
    ("WVE", b"ALawSoundFile", 0),
)
"""Of each kind bytes to search for, and their offset in its pattern: far faster than patterns."""

LONGEST = 300
"""Bytes that hold any of the patterns, whatever their needles' offsets."""

MAX_GAP = 4096
"""Bytes between frames of MP3 that may be broken, a frame or two; more is a damaged file."""

LENGTH_SLACK = 0.05
"""Tools that cut MP3 leave Xing's header as it was: only a file shorter than it says by more than
this share, or in the middle of a frame, was cut off."""


@dataclass(frozen=True)
class Part:
    """One recording in a file: its kind (None: not known here), where it begins, and the pieces to
    be read.

    samples: how many there must be, where they have been counted. empty: a header alone. problem:
    why it is not whole.
    """

    kind: str | None
    start: int
    pieces: tuple[Piece, ...]
    samples: int | None = None
    empty: bool = False
    problem: str | None = None


def find_parts(file: BinaryIO, size: int) -> Iterator[Part]:
    """The recordings in `file` of `size` bytes, in order; at least one. `file` must be seekable;
    its position is left anywhere."""
    start: int | None = 0
    while start is not None:
        start = _past_tags(file, start, size)
        if mpeg.is_mpeg(file, start, size):
            start = yield from _mpeg_parts(file, start, size)
        else:
            part, start = _part(file, start, size)
            yield part


def _past_tags(file: BinaryIO, start: int, size: int) -> int:
    """`start`, or where the tags that begin there end; `start` if nothing comes after them."""
    end = start
    while length := mpeg.tag_length(file, end, size):
        end += length
    return end if end < size else start


def _part(file: BinaryIO, start: int, size: int) -> tuple[Part, int | None]:
    """The part that begins at `start`, and where the next one does."""
    kind, problem = kind_at(file, start), None
    if kind is None:
        return Part(None, start, (range(start, size),)), None
    container = read_container(file, start, size)
    if container is not None and container.size is not None:
        end = min(container.data + container.size, size)
        if missing := container.missing(size):
            problem = f"{missing} bytes of what its header declares are missing"
    elif kind == "Ogg":
        end, problem = _ogg_end(file, start, size)
    else:
        end = start + 4 if container is None else container.data
    following = _following(file, end, size)
    stop = size if following is None else following
    if kind == "FLAC":
        stop = _before_tags(file, start, stop)
    elif kind == "W64" and container is not None and container.size:
        stop = end  # libsndfile takes what follows for samples
    # A header alone may be what some writers (libsndfile) put at the end of a pipe once more.
    empty = container is not None and (container.data >= stop or container.size == 0)
    patches: dict[int, bytes] | None = {}
    if container is not None and container.size is None and not empty:
        patches = container.patches(stop)
        if patches is None:
            patches, problem = {}, "it is longer than a header of its kind can say"
    pieces = tuple(replaced(start, stop, patches))
    return Part(kind, start, pieces, None, empty, None if empty else problem), following


def _following(file: BinaryIO, start: int, size: int) -> int | None:
    """Where another recording begins, from `start` on."""
    after = _past_tags(file, start, size)
    if start < size and mpeg.is_mpeg(file, after, size):
        return after
    return find_header(file, start, size)


def _before_tags(file: BinaryIO, start: int, stop: int) -> int:
    """`stop` without the tags that end there: FLAC's decoder takes them for damage."""
    tail = max(start, stop - _BLOCK)
    file.seek(tail)
    content = file.read(stop - tail)
    ends = {stop}  # from these on there is nothing but tags
    for mark in reversed(list(_TAGS.finditer(content))):
        at = tail + mark.start()
        length = mpeg.tag_length(file, at, stop)
        if length and at + length in ends:
            ends.add(at)
    return min(ends)


def _ogg_end(file: BinaryIO, start: int, size: int) -> tuple[int, str | None]:
    """Where the pages of one link of an Ogg file end, and what is wrong with it."""
    position, beginning = start, True
    while position < size:
        file.seek(position)
        head = file.read(27 + 255)
        if head[:4] != b"OggS":
            break
        first = len(head) > 5 and bool(head[5] & 2)
        if first and not beginning:
            break
        beginning = first
        length = 27 + head[26] + sum(head[27 : 27 + head[26]]) if len(head) > 26 else 27
        if position + length > size:
            return size, f"{position + length - size} bytes of its last page are missing"
        position += length
    return position, None


def _mpeg_parts(file: BinaryIO, start: int, size: int) -> Iterator[Part]:
    """The streams of MP3 from `start` on; where something else begins."""
    streams, junk = mpeg.find_streams(file, start, size)
    last = streams[-1].pieces[-1].stop if streams else start
    gap = max((len(between) for between in junk if between.stop <= last), default=0)
    for index, stream in enumerate(streams):
        problem = None
        if index == 0 and gap > MAX_GAP:
            problem = f"{gap} bytes in the middle of it are no sound"
        declared = stream.declared or 0
        if stream.frames < declared and (
            stream.cut or stream.frames < (1 - LENGTH_SLACK) * declared
        ):
            problem = f"{stream.frames} of {declared} frames are there"
        layer_3 = stream.first.kind[1] == 3
        samples = None if layer_3 else stream.frames * stream.first.samples
        yield Part(
            "MP3",
            stream.pieces[0].start,
            tuple(stream.spliced()),
            samples,
            not stream.frames,
            problem,
        )
    others = (find_header(file, between.start, between.stop) for between in junk)
    return next((other for other in others if other is not None), None)


def kind_at(file: BinaryIO, start: int) -> str | None:
    """The kind of recording that begins at `start`; None if none of those known here."""
    file.seek(start)
    head = file.read(LONGEST)
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.match(head)), None)


def find_header(file: BinaryIO, start: int, stop: int) -> int | None:
    """Where the first recording from `start` on begins; None if none does before `stop`."""
    size = _FIRST_BLOCK
    while start < stop:
        size = min(size, stop - start)
        file.seek(start)
        block = file.read(size + LONGEST)
        for at, kind in merge(*(_hits(block, *needle) for needle in _NEEDLES)):
            if at >= size:
                break
            if _PATTERNS[kind].match(block, at):
                return start + at
        start += size
        size = min(2 * size, _BLOCK)
    return None


def _hits(block: bytes, kind: str, needle: bytes, offset: int) -> Iterator[tuple[int, str]]:
    """Where in `block` a recording of a kind may begin, in order."""
    at = block.find(needle)
    while at >= 0:
        if at >= offset:
            yield at - offset, kind
        at = block.find(needle, at + 1)
