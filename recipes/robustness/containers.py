"""Where a file's parts begin, as its own container divides it: for damage that knows its way."""

from collections.abc import Iterator

OGG_POLYNOMIAL = 0x04C11DB7
MAX_PIECES = 200


def pieces(data: bytes) -> list[tuple[int, int]]:
    """(start, end) of the header, chunks, pages, frames or boxes, which cover the file in order."""
    starts = sorted({0, *(at for at in _starts(data) if 0 < at < len(data))})[:MAX_PIECES]
    return list(zip(starts, [*starts[1:], max(1, len(data))], strict=True))


def _starts(data: bytes) -> Iterator[int]:
    head = data[:12]
    if head[:4] in (b"RIFF", b"RF64") or head[:4] == b"RIFX" or head[:4] == b"FORM":
        order = "little" if head[:4] in (b"RIFF", b"RF64") else "big"
        yield from _chunks(data, 12, 4, 4, order, 2)
    elif head[:4] == b"caff":
        yield from _chunks(data, 8, 4, 8, "big", 1)
    elif head[:4] == b"riff":
        yield from _chunks(data, 40, 16, 8, "little", 8)
    elif head[4:8] == b"ftyp":
        yield from _boxes(data)
    elif head[:4] == b"fLaC":
        yield from _flac(data)
    elif head[:4] == b"OggS":
        yield from _found(data, b"OggS")
    elif head[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xfd", b"\xff\xf1", b"\x0b\x77"):
        yield from _found(data, head[:2])
    else:
        yield from (4, 8, 16, 24, 64, 128, 512, 1024, len(data) // 2)


def _chunks(data: bytes, at: int, name: int, width: int, order, align: int) -> Iterator[int]:
    """Chunks of `name` bytes of name and `width` of size, which W64 counts with its header."""
    while at + name + width <= len(data):
        yield at
        size = int.from_bytes(data[at + name : at + name + width], order)
        step = size if name == 16 else name + width + size
        at += max(8, -(-step // align) * align)


def _boxes(data: bytes) -> Iterator[int]:
    """Boxes of MP4, of the two outer levels."""
    at = 0
    while at + 8 <= len(data):
        yield at
        inside = data[at + 4 : at + 8] in (b"moov", b"trak", b"mdia", b"minf", b"stbl")
        at += 8 if inside else max(8, int.from_bytes(data[at : at + 4], "big"))


def _flac(data: bytes) -> Iterator[int]:
    at = 4
    while at + 4 <= len(data):
        yield at
        last, at = data[at] & 0x80, at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        if last:
            break
    yield at
    yield from _found(data, b"\xff\xf8")


def _found(data: bytes, mark: bytes) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + len(mark))


def _ogg_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (OGG_POLYNOMIAL if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_TABLE = _ogg_table()


def ogg_page_sums(data: bytes) -> bytes:
    """An Ogg file with the checksums of its pages put right (RFC 3533, section 6)."""
    changed = bytearray(data)
    for start, end in pieces(data):
        page = changed[start:end]
        if page[:4] != b"OggS" or len(page) < 27:
            continue
        size = 27 + page[26] + sum(page[27 : 27 + page[26]])
        page[22:26] = bytes(4)
        value = 0
        for byte in page[:size]:
            value = (value << 8 & 0xFFFFFFFF) ^ _TABLE[value >> 24 ^ byte]
        changed[start + 22 : start + 26] = value.to_bytes(4, "little")
    return bytes(changed)
