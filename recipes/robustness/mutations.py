"""Ways to damage a file: each a function of a random generator and a sound, to new bytes.

They aim at what readers trust: headers, sizes, the order of chunks. `mutant` puts one to three
of them together, with an extension that may lie.
"""

import io
import json
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from containers import ogg_page_sums, pieces
from seeds import Sound

HEADER_BYTES = 256
LARGEST_MUTANT = 200_000
"""Bytes: short sounds only, or the run would measure the encoder."""
LIES, SEVERAL = 0.08, 0.25
"""Shares of files with another kind's extension, and with more than one mutation."""

SUFFIXES = ("wav", "flac", "mp3", "ogg", "opus", "aiff", "caf", "m4a", "webm", "raw", "txt", "")
SIZES = (0, 1, 2, 7, 8, 255, 4096, 65_535, 2**24, 2**31 - 1, 2**31, 2**31 - 4096, 2**32 - 1)
LONG_SIZES = (2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
RATES = (0, 1, 2, 999, 1000, 7999, 96_000, 655_350, 10**6, 10**6 + 1, 2**31 - 1, 2**31, 2**32 - 1)
REALS = (0.0, -1.0, 0.5, 1e-300, 1e300, float("nan"), float("inf"), -float("inf"))
COUNTS = (0, 1, 3, 7, 8, 9, 255, 256, 1024, 1025, 32_767, 65_535)
NUMBERS = (b"0", b"-1", b"1", b"4294967296", b"99999999999999999999", b"1e9", b"nan", b"%n%s")


@dataclass(frozen=True)
class Mutant:
    """A damaged file: of which container, by which mutation, its bytes and extension."""

    container: str
    mutation: str
    data: bytes
    suffix: str


def mutant(number: int, seed: int, sounds: Sequence[Sound], weights: dict[str, float]) -> Mutant:
    """File `number` of a run: the same for the same seed and sounds, whatever came before.

    weights: of containers, 1 where none is given.
    """
    rng = random.Random(f"{seed}/{number}")
    containers = sorted({sound.container for sound in sounds})
    container = rng.choices(containers, [weights.get(name, 1) for name in containers])[0]
    sound = rng.choice([sound for sound in sounds if sound.container == container])
    name = rng.choice(list(MUTATIONS))
    data = MUTATIONS[name](rng, sound, sounds)
    if rng.random() < SEVERAL:
        for _ in range(rng.randint(1, 2)):
            again = Sound(container, sound.suffix, data, sound.rate, sound.channels)
            data = MUTATIONS[rng.choice(list(MUTATIONS))](rng, again, sounds)
        name = "several"
    if sound.data[:4] == b"OggS" and rng.random() < 0.7:
        data = ogg_page_sums(data)  # or no damage gets past the first check
    suffix = rng.choice(SUFFIXES) if rng.random() < LIES else sound.suffix
    return Mutant(container, name, data[:LARGEST_MUTANT], suffix)


def place(rng: random.Random, data: bytes) -> int:
    """An offset, often in the header or at a piece's head."""
    if not data:
        return 0
    kind = rng.random()
    if kind < 0.5:
        return rng.randrange(min(len(data), HEADER_BYTES))
    if kind < 0.8:
        start, end = rng.choice(pieces(data))
        return min(start + rng.randrange(24), end - 1)
    return rng.randrange(len(data))


def overwritten(data: bytes, at: int, new: bytes) -> bytes:
    """`data`, as long as it is, with `new` at an offset."""
    return data[:at] + new[: max(0, len(data) - at)] + data[at + len(new) :]


def whole(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """As it was: what is read must stay readable."""
    return sound.data


def flip(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """1 to 64 bits turned over."""
    data = bytearray(sound.data)
    for _ in range(2 ** rng.randrange(7) if data else 0):
        data[place(rng, data)] ^= 1 << rng.randrange(8)
    return bytes(data)


def scribble(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Up to 40 bytes replaced by random ones, zeros or ones."""
    size = rng.randint(1, 40)
    new = rng.choice((rng.randbytes(size), bytes(size), b"\xff" * size))
    return overwritten(sound.data, place(rng, sound.data), new)


def cut_end(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Ends early: anywhere, in the header, at a piece, or a few bytes from its end."""
    data = sound.data
    few = max(0, len(data) - rng.randint(1, 16))
    return data[: rng.choice((rng.randint(0, len(data)), place(rng, data), few))]


def cut_start(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Begins late."""
    return sound.data[rng.choice((place(rng, sound.data), rng.randint(1, 16))) :]


def hole(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Bytes in the middle are missing, or some are put in."""
    at = place(rng, sound.data)
    if rng.random() < 0.5:
        return sound.data[:at] + rng.randbytes(rng.randint(1, 64)) + sound.data[at:]
    return sound.data[:at] + sound.data[at + rng.choice((1, 2, 3, 4, 8, 100, 4096)) :]


def join(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Two to four of a kind, one after the other, as `cat` does."""
    same = [other for other in sounds if other.container == sound.container]
    parts = [sound] + [rng.choice(same) for _ in range(rng.randint(1, 3))]
    return b"".join(part.data for part in parts)


def join_kinds(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Another kind's file behind it, or in its middle."""
    other, data = rng.choice(sounds).data, sound.data
    at = rng.choice((len(data), place(rng, data)))
    rest = rng.choice((data[at:], b""))
    return data[:at] + other[rng.choice((0, place(rng, other))) :] + rest


def size(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """One to three sizes are wrong: extreme, or by a little, in either byte order."""
    data = sound.data
    for _ in range(rng.randint(1, 3)):
        at = _size_place(rng, data)
        width, order = rng.choice((2, 4, 4, 4, 8)), rng.choice(("little", "big"))
        here = int.from_bytes(data[at : at + width], order)
        near = (here + 1, here - 1, here * 2, here // 2, here + 2**31, -here, len(data) - here)
        value = rng.choice(rng.choice((SIZES, LONG_SIZES, near, (len(data), len(data) - 8))))
        data = overwritten(data, at, (value % 256**width).to_bytes(width, order))
    return data


def _size_place(rng: random.Random, data: bytes) -> int:
    """The offset of what is, or may be, a size."""
    likely = [
        at
        for at in range(0, min(len(data) - 4, HEADER_BYTES), 2)
        for order in ("little", "big")
        if len(data) / 4 < int.from_bytes(data[at : at + 4], order) <= len(data) + 8
    ]
    if likely and rng.random() < 0.3:
        return rng.choice(likely)
    start, _ = rng.choice(pieces(data))
    return start + rng.choice((0, 3, 4, 4, 4, 8, 16))


def shape(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Another rate, or what stands beside it: channels, bits, bytes a block."""
    data, rate = sound.data, sound.rate
    forms = [rate.to_bytes(width, order) for width in (4, 2) for order in ("little", "big")]
    forms += [struct.pack(order + "d", rate) for order in "<>"] + [b"%d" % rate]
    exponent = rate.bit_length() - 1
    forms.append(struct.pack(">HI", 16383 + exponent, rate << (31 - exponent)))  # AIFF
    found = [(data.find(form, 0, 4 * HEADER_BYTES), form) for form in forms]
    found = [(at, form) for at, form in found if at >= 0]
    if not found:
        return size(rng, sound, sounds)
    at, form = rng.choice(found)
    if rng.random() < 0.5:
        order = rng.choice(("little", "big"))
        count = rng.choice((*COUNTS, rng.randrange(2**16)))
        beside = max(0, at + rng.choice((-12, -8, -6, -4, -2, -1, 4, 8, 10, 12, 14, 16)))
        return overwritten(data, beside, count.to_bytes(rng.choice((2, 4)), order))
    if form.isdigit():
        return data[:at] + rng.choice(NUMBERS) + data[at + len(form) :]
    if len(form) == 8:
        return overwritten(data, at, struct.pack(rng.choice("<>") + "d", rng.choice(REALS)))
    new = rng.choice((rng.choice(RATES), rng.randrange(2**32))) % 256 ** len(form)
    return overwritten(data, at, new.to_bytes(len(form), rng.choice(("little", "big"))))


def chunks(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """A chunk is doubled, gone, elsewhere, many times there, or another file's."""
    parts = [sound.data[start:end] for start, end in pieces(sound.data)]
    at, to = rng.randrange(len(parts)), rng.randrange(len(parts))
    change = rng.randrange(6)
    if change == 0:
        parts.insert(to, parts[at])
    elif change == 1:
        del parts[at]
    elif change == 2:
        parts[at], parts[to] = parts[to], parts[at]
    elif change == 3:
        parts[at] *= min(rng.choice((2, 50, 1000)), LARGEST_MUTANT // (len(parts[at]) + 1))
    elif change == 4:
        other = rng.choice(sounds).data
        start, end = rng.choice(pieces(other))
        parts.insert(to, other[start:end])
    else:
        rng.shuffle(parts)
    return b"".join(parts)


def text_numbers(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Numbers written in digits (NIST, PVF), or names of chunks, are others."""
    head = sound.data[:HEADER_BYTES]
    starts = [i for i in range(len(head)) if chr(head[i]).isalnum()]
    if not starts:
        return scribble(rng, sound, sounds)
    digits = [i for i in starts if 48 <= head[i] < 58] or starts
    at = rng.choice(rng.choice((starts, digits)))
    new = rng.choice(NUMBERS)
    return sound.data[:at] + new + sound.data[at + rng.choice((0, 1, len(new))) :]


def samples(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """What stands behind the header is NaN, infinite, huge, one value, or noise."""
    start = rng.choice((place(rng, sound.data), min(len(sound.data), rng.choice((44, 100, 4096)))))
    length = len(sound.data) - start
    order = rng.choice("<>")
    value = rng.choice((*REALS, 3e38, -3e38))
    unit = struct.pack(order + "f", value if abs(value) < 1e39 or value != value else 3e38)
    unit = rng.choice((unit, struct.pack(order + "d", value), b"\x7f", b"\xff\x7f", b"\x80", b""))
    new = (unit * (length // len(unit) + 1))[:length] if unit else rng.randbytes(length)
    return sound.data[:start] + new


def tag(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """An ID3 tag before it, or after it, with a size that may lie."""
    content = rng.randbytes(rng.choice((0, 10, 300)))
    length = rng.choice((len(content), len(content) + 1, 0, 2**27, 2**28 - 1))
    sizes = bytes(length >> shift & 127 for shift in (21, 14, 7, 0))
    head = b"ID3" + bytes((rng.choice((2, 3, 4, 255)), 0, rng.choice((0, 0x10, 0xFF)))) + sizes
    tags = (head + content) * rng.choice((1, 1, 2, 100))
    return rng.choice((tags + sound.data, sound.data + tags, sound.data + b"TAG" + bytes(125)))


def foreign(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """No sound at all: texts, archives, programs, pictures; maybe behind a sound's first bytes."""
    content = rng.choice(list(FOREIGN.values()))(rng)
    return sound.data[: rng.choice((0, 0, 0, 4, 12, 44, place(rng, sound.data)))] + content


def nothing(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Empty, zeros, ones, one byte, noise."""
    length = rng.choice((0, 1, 2, 3, 4, 11, 12, 43, 44, 1000, 20_000))
    head = sound.data[: rng.choice((0, 0, 4, 12, 44))]
    return head + rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))


def playlist(rng: random.Random, sound: Sound, sounds: Sequence[Sound]) -> bytes:
    """Text that makes some programs open other files, or the network."""
    target = rng.choice(("/etc/passwd", "other.wav", "file:other.wav", "http://127.0.0.1:9/x"))
    return rng.choice(PLAYLISTS).format(target=target).encode()


PLAYLISTS = (
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
    "#EXTM3U\n{target}\n",
    "ffconcat version 1.0\nfile '{target}'\n",
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "[playlist]\nFile1={target}\nLength1=-1\nNumberOfEntries=1\nVersion=2\n",
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet mimeType="audio/mp4"><Representation id="0"><BaseURL>{target}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "[Reference]\nRef1={target}\n",
)


def _zip(rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sound.wav", bytes(1000))
    return buffer.getvalue()


def _elf(rng: random.Random) -> bytes:
    with open(sys.executable, "rb") as file:
        return file.read(4096)


FOREIGN: dict[str, Callable[[random.Random], bytes]] = {
    "text": lambda rng: b"Dear all,\r\nthe recording is attached.\r\n" * rng.randint(1, 50),
    "json": lambda rng: json.dumps({"rate": [rng.random() for _ in range(50)]}).encode(),
    "html": lambda rng: b"<!DOCTYPE html><html><title>404 Not Found</title></html>",
    "zip": _zip,
    "zlib": lambda rng: zlib.compress(rng.randbytes(100) * 20),
    "elf": _elf,
    "png": lambda rng: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + rng.randbytes(200),
    "jpeg": lambda rng: b"\xff\xd8\xff\xe0\0\x10JFIF\0" + rng.randbytes(200),
    "pdf": lambda rng: b"%PDF-1.7\n" + rng.randbytes(200),
    "npy": lambda rng: b"\x93NUMPY\1\0v\0{'descr': '<u2', 'fortran_order': False, 'shape': (9,)}",
    "pickle": lambda rng: b"\x80\4\x95\x1a\0\0\0\0\0\0\0\x8c\5posix\x8c\6system\x93",
    "lfs": lambda rng: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n",
}

MUTATIONS: dict[str, Callable[[random.Random, Sound, Sequence[Sound]], bytes]] = {
    "whole": whole,
    "bits flipped": flip,
    "bytes replaced": scribble,
    "cut at the end": cut_end,
    "cut at the start": cut_start,
    "hole": hole,
    "joined": join,
    "joined to another kind": join_kinds,
    "wrong size": size,
    "wrong shape": shape,
    "chunks": chunks,
    "text": text_numbers,
    "samples": samples,
    "tags": tag,
    "foreign": foreign,
    "nothing": nothing,
    "playlist": playlist,
}
