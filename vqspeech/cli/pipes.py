"""Pipes instead of files: `-`, FIFOs, /dev/stdin and what a shell's <( ) makes.

A recording in a pipe is encoded as it comes, a `.vqs` stream decoded as it comes. Nothing but data
goes to standard output.
"""

import argparse
import os
import re
import stat
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.errors import InputError
from vqspeech.files import reason, unwritable

if TYPE_CHECKING:
    import numpy as np

    from vqspeech.audio.piped import Pipe
    from vqspeech.codes.stream import CodeStream

STANDARD = "-"
_DESCRIPTOR = re.compile(r"/dev/fd/(\d+)|/proc/self/fd/(\d+)")


def is_piped_input(path: str) -> bool:
    """Whether IN is read once, from front to back."""
    if path == STANDARD:
        return True
    mode = _mode(path)
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or _is_terminal(path, mode)


def is_piped_output(path: str) -> bool:
    """Whether OUT takes bytes as they come, and cannot be renamed into place."""
    mode = _mode(path)
    by_number = path in (STANDARD, "/dev/stdout") or bool(_DESCRIPTOR.fullmatch(path))
    return by_number or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return 0


def _is_terminal(path: str, mode: int) -> bool:
    if not stat.S_ISCHR(mode) or path not in ("/dev/stdin", "/dev/tty", "/dev/fd/0"):
        return False
    return path == "/dev/tty" or os.isatty(0)


def check_terminals(source: str, target: str = "") -> None:
    """Refuse to read a recording from a terminal, or to write data to one. Raises InputError."""
    stdin = source == STANDARD and sys.stdin is not None and _is_tty(0)
    if stdin or _is_terminal(source, _mode(source)):
        raise InputError(
            f"{source}: is a terminal; pipe something into it, as in `ffmpeg -i talk.m4a -f wav - "
            "| vqspeech encode - talk.vqs`, or name a file"
        )
    number = _number(target)
    if number is not None and _is_tty(number):
        raise InputError(f"{target}: is a terminal; pipe it on (| ...), or name a file")


def _is_tty(number: int) -> bool:
    try:
        return os.isatty(number)
    except OSError:
        return False


def _number(target: str) -> int | None:
    """The descriptor that OUT means."""
    if target in (STANDARD, "/dev/stdout"):
        return 1
    match = _DESCRIPTOR.fullmatch(target)
    return int(match[1] or match[2]) if match else None


@contextmanager
def opened_pipe(path: str) -> Iterator["Pipe"]:
    """IN, open for reading. Raises InputError."""
    from vqspeech.audio.piped import Pipe

    name = "standard input" if path == STANDARD else path
    if path == STANDARD and sys.stdin is None:
        raise InputError("standard input is closed; pipe something into it, or name a file")
    try:
        file = open(os.dup(0) if path == STANDARD else path, "rb", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({reason(error)}); check the path") from None
    with file:
        yield Pipe(name, file)


@contextmanager
def writing(path: str) -> Iterator[Callable[[bytes], None]]:
    """What writes bytes to OUT, each as soon as they are given. Raises InputError, and
    BrokenPipeError where nobody reads any more."""
    if path in (STANDARD, "/dev/stdout") and sys.stdout is None:
        raise InputError("standard output is closed; name a file")
    number = _number(path)
    try:
        place = path if number is None else os.dup(number)
        file = open(place, "wb", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise unwritable(path, error) from None

    def write(data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[file.write(left) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise unwritable("standard output" if path == STANDARD else path, error) from None

    with file:
        yield write


@contextmanager
def as_file(path: str) -> Iterator[str]:
    """IN as a file that can be read more than once: itself, or a temporary one with all of it."""
    if not is_piped_input(path):
        yield path
        return
    with opened_pipe(path) as pipe:
        if not pipe.peek(1):
            raise InputError(f"{pipe.name}: is empty (0 bytes); check what feeds it")
        with pipe.spooled() as spooled:
            yield spooled


@contextmanager
def streamed_codes(
    codec, args: argparse.Namespace, gain: float | None, voice: bool
) -> Iterator["CodeStream"]:
    """The codes of IN, from a pipe or a file, at --bitrate, as they become known; voice: as of
    `encode_stream`. Raises InputError."""
    from vqspeech.audio import reading
    from vqspeech.audio.piped import open_piped
    from vqspeech.synthesis.levelling import gain_of

    with ExitStack() as stack:
        path = name = args.input
        if is_piped_input(path):
            pipe = stack.enter_context(opened_pipe(path))
            if (sound := open_piped(pipe)) is not None:
                heard = (sound.blocks(), sound.rate)
                yield codec.encode_stream(*heard, gain, voice, args.bitrate)
                return
            path, name = stack.enter_context(pipe.spooled()), pipe.name
        gain = gain_of(reading.measure_level(path), name) if gain is None else gain
        how = {"gain": gain, "voice": voice, "bitrate": args.bitrate}
        yield codec.encode_stream(reading.read_blocks(path), **how)


class Intact:
    """The codes of a stream up to where it breaks; `error` says then why it did."""

    def __init__(self, codes: "CodeStream", hop: int):
        self._codes, self._hop, self.error = codes, hop, None

    error: InputError | None

    def parts(self) -> Generator["np.ndarray", None, int]:
        frames = 0
        try:
            for part in self._codes:
                frames += part.shape[-1]
                yield part
        except InputError as error:
            if not frames:
                raise
            self.error = error
        return frames * self._hop if self._codes.samples is None else self._codes.samples


@contextmanager
def sound_output(path: str) -> Iterator:
    """What takes blocks of sound (`add`) and counts them: a WAV pipe, or a file's writer."""
    from vqspeech.audio.piped import WavPipe
    from vqspeech.audio.writing import Writer

    if is_piped_output(path):
        with writing(path) as write:
            yield WavPipe(write)
    else:
        with Writer(path) as writer:
            yield writer


def copied(path: Path, target: str) -> None:
    """The bytes of a finished file, to OUT."""
    with open(path, "rb") as file, writing(target) as write:
        while data := file.read(1 << 16):
            write(data)
