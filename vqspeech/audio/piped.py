"""Sound that comes and goes through pipes: read, and written, before anybody knows its length.

WAV, RF64, AIFF and AU of plain samples (PCM, float, mu-law, A-law) are read as they come. Any other
kind needs its whole file, and waits in a temporary one (`Pipe.spooled`).
"""

import fcntl
import io
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np
import soundfile

from vqspeech.audio.channels import Average
from vqspeech.audio.headers import read_container
from vqspeech.audio.parts import LONGEST, find_header
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.audio.sounds import as_mono, check_rate, tell_channels
from vqspeech.audio.writing import to_int16
from vqspeech.errors import InputError
from vqspeech.files import reason

WIDTHS = {
    "PCM_U8": 1,
    "PCM_S8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
    "ULAW": 1,
    "ALAW": 1,
}
"""Bytes a sample, of the kinds whose samples stand one by one."""
LEAST_HEAD, MAX_HEAD = 24, 1 << 20
"""Bytes before the samples: of AU, and with titles and a picture of the album."""
MAX_ALONE = 1 << 12
"""Bytes of a header without samples, at most."""
ENDLESS = 1 << 62
"""Where the file ends, for who reads its header."""
PLAIN = (b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd")
"""What a recording of plain samples begins with."""
READ_BYTES = 1 << 20
"""Taken at once, if so many have come; and what the system is asked to keep of a pipe, so that who
falls behind catches up in longer blocks."""
SILENCE_BYTES = 1 << 16
"""Put behind a header, for libsndfile to find samples there."""
MAX_SPOOL = 4 << 30
"""Bytes that a temporary file may take."""
STARTS = (b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"fLaC", b"OggS", b"riff", b"caff", b"ID3")
UNKNOWN_SIZE = 0xFFFFFFFF


class Pipe:
    """What is read once, from front to back, and may be looked at before. name: for messages."""

    def __init__(self, name: str, file: BinaryIO):
        """file: unbuffered, so that what has come is not waited for."""
        self.name, self._file, self._ahead = name, file, b""
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with suppress(OSError):  # it is no pipe, or the user has too many
                fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, READ_BYTES)

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are some; none at the end. Raises InputError."""
        if self._ahead:
            found, self._ahead = self._ahead[:size], self._ahead[size:]
            return found
        try:
            return self._file.read(size)
        except OSError as error:
            raise InputError(f"{self.name}: cannot be read ({reason(error)})") from None

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or all there are, which stay to be read."""
        ahead = self._ahead
        while len(ahead) < size:
            self._ahead = b""
            new = self.read(max(size - len(ahead), 1))
            ahead += new
            self._ahead = ahead
            if not new:
                break
        return ahead[:size]

    @contextmanager
    def spooled(self) -> Iterator[str]:
        """The path of a temporary file with all that comes. Raises InputError, which names it as
        the pipe, also for what the block refuses in it."""
        with tempfile.NamedTemporaryFile(prefix="vqspeech-") as file:
            try:
                size = 0
                while data := self.read(READ_BYTES):
                    file.write(data)
                    if (size := size + len(data)) > MAX_SPOOL:
                        raise InputError(
                            f"{self.name}: more than {MAX_SPOOL >> 30} GiB of a kind that is not "
                            "read as it comes; pipe WAV, or name a file"
                        )
                file.flush()
            except OSError as error:
                raise InputError(
                    f"{self.name}: cannot be kept in {tempfile.gettempdir()} ({reason(error)}); "
                    "pipe WAV, or name a file"
                ) from None
            try:
                yield file.name
            except InputError as error:
                raise InputError(str(error).replace(file.name, self.name)) from None


class PipedSound:
    """Blocks of the plain samples behind a header. rate: in Hz."""

    def __init__(self, pipe: Pipe, head: bytes, size: int | None):
        """head: up to the first sample. size: bytes of samples, None if they go on to the end."""
        # libsndfile reads the header, with a little silence behind it, and later the samples.
        with soundfile.SoundFile(io.BytesIO(head + bytes(SILENCE_BYTES))) as sound:
            self.rate, self.channels = sound.samplerate, sound.channels
            self._kind = sound.subtype
            little = sound.endian == "LITTLE" or head[:4] in (b"RIFF", b"RF64")
        if self._kind not in WIDTHS:
            raise ValueError("not plain samples")
        check_rate(pipe.name, self.rate)
        self._endian = "LITTLE" if little else "BIG"
        self._pipe, self._head, self._size = pipe, len(head), size

    def blocks(self, quiet: bool = False) -> Iterator[np.ndarray]:
        """Mono float32 [N] at `rate`, channels averaged, as they come. Raises InputError."""
        pipe, width = self._pipe, WIDTHS[self._kind] * self.channels
        if not quiet:
            tell_channels(pipe.name, self.channels)
        rest, left, watch, average = b"", self._size, _Watch(), Average()
        while left is None or left:
            data = pipe.read(READ_BYTES if left is None else min(READ_BYTES, left))
            if not data:
                break
            if left is not None:
                left -= len(data)
            elif (at := watch.found(data)) is not None:
                self._check_header_alone(watch.begun)
                data = data[: max(at, 0)]
            rest += data
            whole = len(rest) // width * width
            if whole:
                yield as_mono(self._samples(rest[:whole]), pipe.name, average)
                rest = rest[whole:]
        if left:
            raise InputError(
                f"{pipe.name}: is cut off ({left} bytes of what its header declares are missing); "
                "check what makes it"
            )
        if not quiet:
            average.tell(pipe.name)
        self._pass_over()

    def _samples(self, data: bytes) -> np.ndarray:
        """Of whole frames: float32 [n, channels]."""
        kind = {"format": "RAW", "subtype": self._kind, "endian": self._endian}
        raw = soundfile.SoundFile(io.BytesIO(data), "r", self.rate, self.channels, **kind)
        with raw:
            return raw.read(dtype="float32", always_2d=True)

    def _pass_over(self) -> None:
        """What stands behind the samples: titles, but not another recording."""
        if self._pipe.peek(4).startswith(STARTS):
            raise self._several()
        watch = _Watch()
        while data := self._pipe.read(READ_BYTES):
            if watch.found(data) is not None:
                raise self._several()

    def _check_header_alone(self, data: bytes) -> None:
        """Raises InputError unless all that is left, from `data` on, is a header: what some writers
        (libsndfile) put at the end of a pipe once more."""
        while len(data) < MAX_ALONE and (new := self._pipe.read(MAX_ALONE)):
            data += new
        found = read_container(io.BytesIO(data), 0, len(data))
        if found is None or found.data < len(data):
            raise self._several()

    def _several(self) -> InputError:
        return InputError(f"{self._pipe.name}: has more than one recording; encode them one by one")


class _Watch:
    """Looks for the beginning of another recording in what comes, piece by piece. begun: what has
    come of the one that was found."""

    def __init__(self):
        self._before = self.begun = b""

    def found(self, data: bytes) -> int | None:
        """Where one begins, counted from the beginning of `data`: below 0 in what came before.
        None: nowhere so far."""
        seen = self._before + data
        at = find_header(io.BytesIO(seen), 0, len(seen))
        if at is not None:
            self.begun = seen[at:]
            return at - len(self._before)
        self._before = seen[-LONGEST:]
        return None


def open_piped(pipe: Pipe) -> PipedSound | None:
    """The sound in a pipe; None, with nothing taken from the pipe, for what must be spooled.

    Raises InputError for an empty pipe.
    """
    if not pipe.peek(1):
        raise InputError(f"{pipe.name}: is empty (0 bytes); check what feeds it")
    if not pipe.peek(4).startswith(PLAIN):
        return None
    ahead: Any = _Ahead(pipe)
    found = read_container(ahead, 0, ENDLESS)
    if found is None or not LEAST_HEAD <= found.data <= MAX_HEAD:
        return None
    start = found.data
    try:
        sound = PipedSound(pipe, pipe.peek(start), found.size)
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        return None
    pipe.read(start)
    return sound


class _Ahead:
    """What has come of a pipe, and what is waited for, as the file that `read_container` reads."""

    def __init__(self, pipe: Pipe):
        self._pipe, self._at = pipe, 0

    def seek(self, offset: int) -> int:
        self._at = offset
        return offset

    def read(self, size: int) -> bytes:
        """The next bytes; none beyond MAX_HEAD, where no samples of a recording begin."""
        if self._at > MAX_HEAD:
            return b""
        found = self._pipe.peek(self._at + size)[self._at :]
        self._at += len(found)
        return found


class WavPipe:
    """Writes mono 16-bit WAV into a pipe, with sizes left open as ffmpeg leaves them.

    samples, clipped: what was written, and how much of it went beyond full scale.
    """

    def __init__(self, write: Callable[[bytes], object]):
        self._write = write
        self.samples = self.clipped = 0

    def add(self, block: np.ndarray) -> None:
        """Write the next samples (float [N], full scale +-1)."""
        if not self.samples:
            shape = (b"fmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
            self._write(
                struct.pack("<4sI4s", b"RIFF", UNKNOWN_SIZE, b"WAVE")
                + struct.pack("<4sIHHIIHH", *shape)
                + struct.pack("<4sI", b"data", UNKNOWN_SIZE)
            )
        pcm, clipped = to_int16(block)
        self.samples += len(pcm)
        self.clipped += clipped
        self._write(pcm.astype("<i2").tobytes())
