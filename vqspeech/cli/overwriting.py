"""What stands where an output is to go: never an input, and with --force only what others made."""

import argparse
import json
import os
import re
import stat
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from vqspeech.codes.header import MAGIC
from vqspeech.errors import InputError
from vqspeech.files import check_unprotected, identity

FORCE = (
    "write over files that this program did not make; never over an input, or what is "
    "write-protected"
)
ADVICE = "name another output, or replace it with --force"
STREAM = "-"
"""What stands for standard input and output, whatever files there are."""
SHOWN = 3
HEAD_BYTES = 4096
"""Of a file: all that says who made it stands at its start."""


def add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help=FORCE)


def check_outputs(
    outputs: Iterable[str | os.PathLike],
    inputs: Iterable[str | os.PathLike] = (),
    force: bool = False,
    advice: str = ADVICE,
    protected: bool = True,
) -> None:
    """Refuse to write over an input, by whatever name, over what is write-protected, two outputs
    that are one file, and without `force` to write over a file that is there and that this program
    did not make. Empty files, pipes and devices are no loss.

    inputs: all that is read, voices too; what is not there, as a speaker's name, does not count.
    advice: what to do where a file stands in the way. protected: False where some outputs may yet
    turn out to be left alone; who calls then checks the others. Raises InputError, before any work
    is begun.
    """
    outputs = list(outputs)
    _check_different(outputs)
    read = {_identity(path): path for path in inputs}
    read.pop(None, None)
    foreign = []
    for path in outputs:
        if _is_stream(path):
            continue
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            continue
        if not stat.S_ISREG(status.st_mode):
            continue
        if source := read.get((status.st_dev, status.st_ino)):
            same = os.fspath(source) == os.fspath(path)
            what = "the source itself" if same else f"another name of {source}"
            what = "what standard input reads" if _is_stream(source) else what
            raise InputError(
                f"{path}: is {what}, which is to be read; name another output (--force does not "
                "change that)"
            )
        if protected:
            check_unprotected(path)
        if status.st_size and not force and not is_own(path):
            foreign.append(path)
    if foreign:
        raise _taken(foreign, advice)


def _is_stream(path: str | os.PathLike) -> bool:
    return os.fspath(path) == STREAM


def _identity(path: str | os.PathLike) -> tuple[int, int] | None:
    """`identity`; of standard input that of the file that a shell's `<` opened, if it did."""
    if not _is_stream(path):
        return identity(path)
    try:
        status = os.fstat(0)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _check_different(outputs: Iterable[str | os.PathLike]) -> None:
    """Refuse outputs of which one is a link to another. Raises InputError."""
    found: dict[str, str | os.PathLike] = {}
    for path in outputs:
        if _is_stream(path):
            continue
        try:
            real = os.path.realpath(path)
        except (OSError, ValueError):
            continue
        if os.path.exists(real) and not os.path.isfile(real):
            continue  # a pipe or a device takes them all
        other = os.fspath(found.setdefault(real, path))
        if other != os.fspath(path):
            raise InputError(
                f"{path}: is the same file as {other}, and both are to be written; remove the "
                "link, or name another output"
            )


def _taken(foreign: list[str | os.PathLike], advice: str) -> InputError:
    if len(foreign) == 1:
        return InputError(f"{foreign[0]}: is there already, and not made by vqspeech; {advice}")
    shown = ", ".join(map(str, foreign[:SHOWN])) + (", ..." if len(foreign) > SHOWN else "")
    return InputError(
        f"{len(foreign)} files are there already, and not made by vqspeech ({shown}); name another "
        "folder, or replace them with --force"
    )


def is_own(path: str | os.PathLike) -> bool:
    """Whether this program made the file, as its start says; False where it cannot be read."""
    says = _MARKS.get(Path(path).suffix.lower())
    if says is None:
        return False
    try:
        with open(path, "rb") as file:
            return says(file.read(HEAD_BYTES))
    except OSError:
        return False


def _sound(head: bytes) -> bool:
    """A tag of `audio.writing.Writer`: RIFF's ISFT, or the comment `software` of FLAC."""
    if head[:4] == b"fLaC":
        return b"software=vqspeech" in head
    return head[:4] == b"RIFF" and re.search(rb"ISFT.{4}vqspeech", head, re.DOTALL) is not None


def _npy(head: bytes) -> bool:
    """One dimension of uint16, or two of some levels: codes, whoever saved them."""
    text = rb"\x93NUMPY[\x01\x02]\x00.{2,4}\{'descr': '[<>]u2', 'fortran_order': False, "
    return re.match(text + rb"'shape': \((\d+,|[1-8], \d+)\)", head, re.DOTALL) is not None


def _vqs(head: bytes) -> bool:
    return head.startswith(MAGIC)


def _voice(head: bytes) -> bool:
    """The metadata of `checkpoint.voices`."""
    from vqspeech.checkpoint.voices import FORMAT

    size = struct.unpack("<Q", head[:8])[0] if len(head) > 8 else 0
    try:
        about = json.loads(head[8 : 8 + size])["__metadata__"]
        return about["format"] == FORMAT
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _json(head: bytes) -> bool:
    """Reports and models; the index of a packed corpus; the configuration of a run."""
    return (
        re.search(rb'"fingerprint": "[0-9a-f]{16}",\s+"(vqspeech|config)": ', head) is not None
        or re.match(rb'\{"version": \d+, "sample_rate": \d+, "level_db": ', head) is not None
        or re.match(rb'\{\s+"name": "[^"]*",\s+"hop": \d+,', head) is not None
    )


def _markdown(head: bytes) -> bool:
    return re.match(rb"# (Evaluation|Phonemes)\n\n- .*, vqspeech \d", head) is not None


def _page(head: bytes) -> bool:
    return b"<title>vqspeech" in head


def _skipped(head: bytes) -> bool:
    return head.startswith(b"path\treason\n")


def _alignment(head: bytes) -> bool:
    return re.match(rb"\d+\.\d{4} \d+\.\d{4} \S+\n", head) is not None


_MARKS: dict[str, Callable[[bytes], bool]] = {
    ".wav": _sound,
    ".flac": _sound,
    ".npy": _npy,
    ".vqs": _vqs,
    ".safetensors": _voice,
    ".json": _json,
    ".md": _markdown,
    ".html": _page,
    ".tsv": _skipped,
    ".lab": _alignment,
}
"""What says by a file's start that it is this program's, by extension."""
