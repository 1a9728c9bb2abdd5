"""What libsndfile cannot read, by ffmpeg where it is installed: recordings of phones, films.

ffmpeg runs as a process of its own, which may do nothing but decode the first sound track of one
file to its standard output: no network, no playlists and whatever else names other files, bounded
memory and time. The file is given to it as an open descriptor, so that content alone decides.
"""

import os
import re
import shutil
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

import numpy as np

from vqspeech.audio.source import is_on_disk
from vqspeech.errors import InputError

PROGRAM = "ffmpeg"
ADVICE = "install ffmpeg, which reads more"
"""Of a file that cannot be read without."""

DEMUXERS = (
    "3gp,aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,dtshd,eac3,flac,flv,ircam,loas,"
    "matroska,mov,mp3,mp4,mpc,mpc8,mpeg,mpegts,nistsphere,ogg,qcp,rm,shn,tak,tta,voc,w64,wav,webm,"
    "wv"
)
"""Formats that hold their sound themselves. Not among them: hls, dash, concat, image2, sdp, lavfi
and others that open what their content names."""

STALLED_SECONDS = 60
"""Without as much output as one block takes: given up."""
MEMORY = 1 << 30
"""Bytes of data of the ffmpeg process (where the system can limit them)."""
CPU_SECONDS, BYTES_PER_CPU_SECOND = 60, 20_000
"""Of computing, and for how many bytes of input there is one second more."""
MESSAGES = 1 << 20
"""Bytes of messages after which ffmpeg is stopped."""

_CUT_OFF = re.compile(
    r"partial file|ended prematurely|end of file|incomplete|truncat|exhausted before|too small|"
    r"while decoding|submitting packet|invalid data|corrupt",
    re.IGNORECASE,
)
"""What ffmpeg says, at its level "error", of a file that has lost a part."""
_NOTHING = re.compile(r"matches no streams|does not contain any stream", re.IGNORECASE)
_CONTEXT = re.compile(r"^\[[^\]]*\] |(?:file:)?/dev/fd/\d+: ")

_AU_FLOAT = 6
_COPY_BLOCK = 1 << 20


def available() -> bool:
    """Whether there is an ffmpeg to run."""
    return shutil.which(PROGRAM) is not None


class Decoding:
    """The first sound track of a file, as ffmpeg decodes it: `rate` in Hz, `channels`."""

    frames: int | None = None
    format: str = PROGRAM

    def __init__(self, name: str, process: subprocess.Popen, messages: BinaryIO):
        assert process.stdout is not None, "it is a pipe"
        self._name, self._process, self._messages = name, process, messages
        self._output = process.stdout
        header = self._read(24)
        if len(header) < 24:
            raise self._not_audio()
        magic, offset, _, coding, self.rate, self.channels = struct.unpack(">4s5I", header)
        known = magic == b".snd" and coding == _AU_FLOAT and self.channels > 0
        if not known or len(self._read(offset - 24)) < offset - 24:
            raise self._not_audio()

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Blocks of float32 [n, channels], n = `frames` but for the last. Raises InputError."""
        while data := self._read(4 * frames * self.channels):
            samples = np.frombuffer(data[: len(data) // 4 * 4], ">f4").astype(np.float32)
            whole = len(samples) // self.channels * self.channels
            yield samples[:whole].reshape(-1, self.channels)
        if self._process.wait() != 0 or _CUT_OFF.search(self._said()):
            raise InputError(
                f"{self._name}: is cut off or damaged (ffmpeg: {_first(self._said())}); copy or "
                "convert it again"
            )

    def _read(self, size: int) -> bytes:
        """The next bytes of output; fewer at the end, and when nothing comes any more."""
        watch = threading.Timer(STALLED_SECONDS, self._process.kill)
        watch.start()
        try:
            return self._output.read(size)
        finally:
            watch.cancel()

    def _said(self) -> str:
        self._messages.seek(0)
        return self._messages.read(MESSAGES).decode(errors="replace")

    def _not_audio(self) -> InputError:
        said = self._ended()
        if _NOTHING.search(said):
            return InputError(f"{self._name}: has no sound track; choose another file")
        return InputError(
            f"{self._name}: is not audio that libsndfile or ffmpeg can read ({_first(said)}); "
            "convert it to WAV or FLAC"
        )

    def _ended(self) -> str:
        self._process.kill()
        self._process.wait()
        return self._said()


def _first(said: str) -> str:
    """The first line of ffmpeg's messages, without addresses in memory."""
    line = next((line for line in said.splitlines() if line), "it gave up")
    return _CONTEXT.sub("", line).removesuffix(f" '{DEMUXERS}'")


@contextmanager
def decoded(name: str, file: BinaryIO, size: int) -> Iterator[Decoding]:
    """The first sound track of `file`, of `size` bytes, which messages call `name`.

    The process ends with the block. Raises InputError.
    """
    with ExitStack() as stack:
        messages = stack.enter_context(tempfile.TemporaryFile())
        descriptor = _descriptor(file, stack)
        # fmt: off
        command = [
            PROGRAM, "-nostdin", "-hide_banner", "-v", "error", "-protocol_whitelist", "file",
            "-format_whitelist", DEMUXERS, "-threads", "1", "-i", f"file:/dev/fd/{descriptor}",
            "-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_f32be", "-f", "au", "pipe:1",
        ]
        # fmt: on
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=messages,
            pass_fds=(descriptor,),
        )
        stack.callback(_end, process)
        _limit(process, size)
        yield Decoding(name, process, messages)


def _descriptor(file: BinaryIO, stack: ExitStack) -> int:
    """A descriptor of what is in `file`, which may exist in memory only."""
    if is_on_disk(file):
        descriptor = file.fileno()
    else:
        copy: BinaryIO = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        file.seek(0)
        shutil.copyfileobj(file, copy, _COPY_BLOCK)
        copy.flush()
        descriptor = copy.fileno()
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _limit(process: subprocess.Popen, size: int) -> None:
    """What the process may use at most, where the system (Linux) can limit another process."""
    try:
        from resource import RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, prlimit
    except ImportError:
        return
    limits = {
        RLIMIT_DATA: MEMORY,
        RLIMIT_CPU: CPU_SECONDS + size // BYTES_PER_CPU_SECOND,
        RLIMIT_FSIZE: MESSAGES,
        RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        with suppress(OSError, ValueError):  # it has ended already, or may have less anyway
            prlimit(process.pid, what, (most, most))


def _end(process: subprocess.Popen) -> None:
    process.kill()
    process.communicate()
