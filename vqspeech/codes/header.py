"""The header of a `.vqs` file or stream: what `vqspeech.codes.bitstream` draws, as bytes."""

import struct
import zlib
from dataclasses import dataclass

from vqspeech.audio.signal import frames_for
from vqspeech.codes.codes import MOST_LEVELS
from vqspeech.codes.numbers import read_variable, variable
from vqspeech.codes.own_voice import MAX_VOICE_BYTES, read_voice
from vqspeech.errors import InputError

MAGIC, VERSION, STREAM_VERSION = b"VQS", 1, 2
WITH_VOICE, WITH_LEVELS = 2, 4
"""What is added to the version where the header has a voice, and where codes have levels."""
VERSIONS = range(VERSION, STREAM_VERSION + WITH_VOICE + WITH_LEVELS + 1)
PACKED, RANGE = 0, 1
MODES = {PACKED: "packed", RANGE: "range-coded"}
BLOCK_CODES = 1024
"""20 s at 50 codes/s: what damage takes, and how far the prior remembers."""
MAX_SAMPLES = 1 << 40
"""Two years at 16 kHz."""
MAX_NAME_BYTES = 255
SHORT_PRIOR = 8
"""Hex digits of a prior's fingerprint that a header has."""
MAX_HEADER = 2 * MAX_NAME_BYTES + MAX_VOICE_BYTES + 64
"""Bytes; more than the largest header."""


@dataclass(frozen=True)
class Header:
    """What a `.vqs` file says of itself. codes: identity of the model's codes, 16 hex digits.

    prior: first 8 hex digits of its prior's fingerprint, "" if the codes are packed. samples: None
    in a stream, whose `End` has them. speaker: the name of a voice of the model, "" for none.
    voice: the one to decode with where there is no name (`codes.own_voice`), b"" for none. levels:
    codes of a frame; upper: identity of the codebooks of those above the first, 16 hex digits, ""
    where there is but one. Raises InputError for what no header can hold.
    """

    codes: str
    prior: str
    hop: int
    codebook_size: int
    samples: int | None
    model: str
    speaker: str = ""
    voice: bytes = b""
    levels: int = 1
    upper: str = ""

    def __post_init__(self):
        fits = 1 <= self.hop < 1 << 16 and 2 <= self.codebook_size <= 1 << 16
        if not fits or not 0 <= (self.samples or 0) <= MAX_SAMPLES:
            raise InputError(
                f"a .vqs file cannot hold {self.samples} samples of {self.codebook_size} codes "
                f"with a hop of {self.hop}; save the codes as .npy"
            )
        if not 1 <= self.levels <= MOST_LEVELS or (self.levels > 1) != bool(self.upper):
            raise InputError(f"a .vqs file cannot hold {self.levels} levels of codes")
        for part in ("model", "speaker"):
            kept = getattr(self, part).encode(errors="replace")  # of a folder, it may be no UTF-8
            if len(kept) > MAX_NAME_BYTES:
                raise InputError(f"the name {kept.decode()[:30]}... is too long for a .vqs file")
            # As it is read: the prior is asked for the same name then.
            object.__setattr__(self, part, kept.decode())
        if self.voice:
            read_voice(self.voice)

    @property
    def mode(self) -> int:
        return RANGE if self.prior else PACKED

    @property
    def frames(self) -> int:
        """Codes of a file; of a stream nobody knows."""
        assert self.samples is not None, "a stream's length stands at its end"
        return frames_for(self.samples, self.hop)

    @property
    def blocks(self) -> int:
        """Blocks of a file; of a stream nobody knows."""
        return frames_for(self.frames, BLOCK_CODES)

    @property
    def bits(self) -> int:
        """Bits of a packed code."""
        return (self.codebook_size - 1).bit_length()

    def codes_in(self, block: int) -> int:
        """Number of codes of a file's block."""
        return min(BLOCK_CODES, self.frames - block * BLOCK_CODES)


def header_bytes(header: Header) -> bytes:
    """The header as it stands in the file."""
    prior = bytes.fromhex(header.prior) if header.prior else b""
    version = STREAM_VERSION if header.samples is None else VERSION
    version += WITH_VOICE * bool(header.voice) + WITH_LEVELS * (header.levels > 1)
    body = MAGIC + bytes([version, header.mode]) + bytes.fromhex(header.codes) + prior
    body += struct.pack("<HH", header.hop, header.codebook_size - 1)
    if header.levels > 1:
        body += bytes([header.levels]) + bytes.fromhex(header.upper)
    body += b"" if header.samples is None else variable(header.samples)
    for name in (header.model, header.speaker):
        text = name.encode()
        body += bytes([len(text)]) + text
    if header.voice:
        body += variable(len(header.voice)) + header.voice
    return body + struct.pack("<I", zlib.crc32(body))


def seed_of(header: Header) -> int:
    """What the CRCs of its blocks begin with: the header's own.

    Not the CRC of all its bytes: with its CRC behind it every header has the same one.
    """
    return struct.unpack("<I", header_bytes(header)[-4:])[0]


def read_header(data: bytes | memoryview) -> tuple[Header, int]:
    """(header, its size) of the start of a file. Raises InputError without the file's name."""
    data = memoryview(data)
    if bytes(data[:3]) != MAGIC:
        raise InputError("is not a .vqs file; make one with `vqspeech encode`")
    if len(data) > 3 and data[3] not in VERSIONS:
        raise InputError(
            f"has version {data[3]} of the format, this program reads {VERSIONS[0]} to "
            f"{VERSIONS[-1]}; upgrade vqspeech"
        )
    try:
        return _parse_header(data)
    except (ValueError, IndexError, struct.error, InputError):
        raise InputError(
            "has a damaged or cut-off header; copy it again (nothing can be salvaged without it)"
        ) from None


def is_header(data: bytes | memoryview) -> bool:
    """Whether data begin with a whole header, its checksum right."""
    try:
        read_header(data)
    except InputError:
        return False
    return True


def _parse_header(data: memoryview) -> tuple[Header, int]:
    mode, at = data[4], 13
    codes, prior = bytes(data[5:at]), b""
    if mode not in MODES:
        raise ValueError
    if mode == RANGE:
        prior, at = bytes(data[at : at + 4]), at + 4
    hop, top = struct.unpack("<HH", data[at : at + 4])
    samples, at, kind = None, at + 4, data[3] - VERSION
    levels, upper = 1, b""
    if kind & WITH_LEVELS:
        levels, upper, at = data[at], bytes(data[at + 1 : at + 9]), at + 9
        if levels < 2:  # a header of one level has another version
            raise ValueError
    if not kind & (STREAM_VERSION - VERSION):
        samples, at = read_variable(data, at)
    model, at = _read_name(data, at)
    speaker, at = _read_name(data, at)
    voice = b""
    if kind & WITH_VOICE:
        size, at = read_variable(data, at)
        voice, at = bytes(data[at : at + size]), at + size
        if not voice:  # a header without one has another version
            raise ValueError
    if struct.unpack("<I", data[at : at + 4])[0] != zlib.crc32(data[:at]):
        raise ValueError
    known = (codes.hex(), prior.hex(), hop, top + 1, samples, model, speaker, voice)
    return Header(*known, levels, upper.hex()), at + 4


def _read_name(data: memoryview, at: int) -> tuple[str, int]:
    """(name, position after it)."""
    end = at + 1 + data[at]
    return bytes(data[at + 1 : end]).decode(), end
