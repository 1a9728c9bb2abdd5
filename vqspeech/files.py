"""Opening, refusing and writing files: the one place.

What is read may be missing, a folder, a device or empty, and is refused in a line that says what to
do. What is written is there whole or not at all, whatever happens meanwhile.
"""

import io
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from vqspeech.errors import InputError

PARTIAL = ".vqspeech-{}.partial"
"""Name of a file while it is written: short, as the final name may be as long as names can be."""


@contextmanager
def opened(path: str | os.PathLike, what: str, buffering: int = -1) -> Iterator[BinaryIO]:
    """A file open for reading.

    what: it should be, as in "an audio file". buffering: as of `open`. Raises InputError that names
    it: missing, a folder, not regular, empty, no permission, an impossible name, and for whatever
    the system refuses inside the block.
    """
    path = os.fspath(path)
    try:
        try:
            mode = os.stat(path).st_mode
        except ValueError:
            raise InputError(f"{path!r}: is not a possible file name; check the path") from None
        if stat.S_ISDIR(mode):
            raise InputError(f"{path}: is a folder, not {what}; name a file in it")
        if not stat.S_ISREG(mode):
            raise InputError(f"{path}: is not a regular file; save {what} first and name that")
        with open(path, "rb", buffering) as file:
            if file_size(file) == 0:
                raise InputError(f"{path}: is empty (0 bytes); make or copy it again")
            yield file
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it; change its permissions") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason(error)}); check the path") from None


def file_size(file: BinaryIO) -> int:
    """Bytes of an open file."""
    return os.fstat(file.fileno()).st_size


@contextmanager
def opened_or_given(source: Any, what: str) -> Iterator[tuple[str, BinaryIO, int]]:
    """(what messages call it, a file open for reading, its bytes) of a name or a file object.

    A file object is read to its end at once. Raises InputError as `opened` does.
    """
    if isinstance(source, str | os.PathLike):
        with opened(source, what) as file:
            yield os.fspath(source), file, file_size(file)
        return
    if not hasattr(source, "read"):
        raise InputError(f"{source!r:.60} is no name of a file, and no file; give {what}")
    name = str(getattr(source, "name", "the file object"))
    try:
        data = source.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be read ({reason(error)}); open it again") from None
    if not isinstance(data, bytes):
        raise InputError(f"{name}: gives text; open it in mode 'rb'")
    if not data:
        raise InputError(f"{name}: is empty, or was read to its end; seek(0) goes back")
    yield name, io.BytesIO(data), len(data)


def check_target(path: str | os.PathLike, suffixes: Sequence[str], what: str) -> Path:
    """The real path of a file to be written, links followed.

    suffixes: extensions that `what` ("an audio file") may have, in small letters. Raises
    InputError: another extension, a folder or device there, a missing folder.
    """
    if Path(path).suffix.lower() not in suffixes:
        raise InputError(
            f"{path}: cannot be written as {what}; name the output {' or '.join(suffixes)}"
        )
    target = Path(os.path.realpath(path))
    if os.path.isdir(target):  # pathlib's raises where a name is too long
        raise InputError(f"{path}: is a folder; name a file")
    if os.path.exists(target) and not os.path.isfile(target):
        raise InputError(f"{path}: is not a regular file; name another output")
    if not os.path.isdir(target.parent):
        raise InputError(f"{path}: folder {target.parent} does not exist; create it")
    return target


@contextmanager
def whole_path(target: Path) -> Iterator[Path]:
    """A path to write to beside `target`, which gets that name when the block ends well.

    Raises OSError.
    """
    partial = target.with_name(PARTIAL.format(secrets.token_hex(6)))
    try:
        yield partial
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """`whole_path` as a new file open for writing. Raises OSError."""
    with whole_path(target) as partial, open(partial, "x+b") as file:
        yield file


@contextmanager
def output_file(path: str | os.PathLike, target: Path) -> Iterator[BinaryIO]:
    """`whole_file(target)` of what a user asked for as `path`. Raises InputError that names it."""
    try:
        with whole_file(target) as file:
            yield file
    except OSError as error:
        raise unwritable(path, error) from None


@contextmanager
def written(target: Any, check: Callable[[str | os.PathLike], Path]) -> Iterator[BinaryIO]:
    """`output_file` of a name, whose real path `check` gives; or of a file object, which gets all
    that was written, at the end of the block. Raises InputError."""
    if isinstance(target, str | os.PathLike):
        with output_file(target, check(target)) as file:
            yield file
        return
    if not hasattr(target, "write"):
        raise InputError(f"{target!r:.60} is no name of a file, and no file; name the output")
    whole = io.BytesIO()
    yield whole
    try:
        target.write(whole.getvalue())
    except (OSError, TypeError, ValueError) as error:
        name = getattr(target, "name", "the file object")
        raise InputError(
            f"{name}: cannot be written ({reason(error)}); open it in mode 'wb'"
        ) from None


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all. Raises InputError."""
    with output_file(path, Path(path)) as file:
        file.write(text.encode(errors="surrogateescape"))


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all. Raises InputError."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def make_folder(path: str | os.PathLike) -> Path:
    """The folder `path`, made with its parents if needed. Raises InputError, also where it cannot
    be written to."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made ({reason(error)}); name another folder") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written to; name another folder")
    return folder


def clear_partial(folder: Path) -> None:
    """Remove what killed processes left half-written in `folder`. Raises OSError."""
    for left in folder.glob(PARTIAL.format("*")):
        left.unlink()


def unwritable(path: str | os.PathLike, error: Exception) -> InputError:
    """What to raise where `path` could not be written."""
    return InputError(f"{path}: cannot be written ({reason(error)}); choose another place")


def reason(error: Exception) -> str:
    """Why the system, or a library under it, refused; one line."""
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or "damaged"
