"""Opening, refusing and writing files: the one place.

What is read may be missing, a folder, a device or empty, and is refused in a line that says what to
do. What is written is there whole or not at all, whatever happens meanwhile.
"""

import io
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO

from vqspeech.errors import InputError
from vqspeech.locks import held, remove_dead

PARTIAL = ".vqspeech-{}.partial"
"""Name of a file, or of a folder for it, while it is written: short, as the final name may be as
long as names can be."""


LONGEST_NAME = 255
"""Bytes of a file's name that file systems take."""


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
    InputError: another extension, a folder, a device or a write-protected file there, a missing
    folder, what is no name.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{path!r:.60} is no name of a file; name the output")
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
    check_unprotected(path)
    return target


def check_unprotected(path: str | os.PathLike) -> None:
    """Refuse to replace a file that is write-protected: the folder alone says whether the system
    would let it. Raises InputError."""
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise InputError(f"{path}: is write-protected; name another output, or `chmod u+w` it")


def below(folder: str | os.PathLike, *names: str, suffix: str = "") -> Path:
    """The path of an output in `folder`, under names that come from data: a manifest, a shard.

    names: each of one or several parts with / between them, the last without the extension
    `suffix`. Raises InputError for a name that could leave the folder, or that no file can have:
    an absolute one, `..`, empty parts, a drive letter, NUL, a part too long, a link in the folder
    that leads out of it.
    """
    for number, name in enumerate(names, 1):
        problem = _unfit(name, suffix if number == len(names) else "")
        if problem:
            shown = repr(name if len(name) < 100 else f"{name[:97]}...")
            raise InputError(f"{shown} cannot name an output in {folder}: it {problem}; rename it")
    return inside(folder, Path(folder, *names[:-1], names[-1] + suffix))


def _unfit(name: str, suffix: str) -> str | None:
    """What keeps a name of data from naming a file in a folder."""
    if "\0" in name:
        return "has a NUL"
    if name.startswith(("/", "\\")) or PureWindowsPath(name).drive:
        return "is an absolute path"
    parts = name.split("/")
    if ".." in re.split(r"[/\\]", name) or "." in parts:
        return "has a part `.` or `..`"
    if not all(part.strip() for part in parts):
        return "has an empty part"
    try:
        sizes = [len(os.fsencode(part)) for part in (*parts[:-1], parts[-1] + suffix)]
    except UnicodeEncodeError:
        return "has characters that no file's name can have"
    return f"has a part of more than {LONGEST_NAME} bytes" if max(sizes) > LONGEST_NAME else None


def inside(folder: str | os.PathLike, path: Path) -> Path:
    """`path`, which stands in `folder`. Raises InputError where a link there leads out of it."""
    root, real = os.path.realpath(folder), os.path.realpath(path)
    if os.path.commonpath([root, real]) != root:
        raise InputError(
            f"{path}: a link leads it out of {folder}, to {real}; remove the link, or name the "
            "folder that it leads to"
        )
    return path


def identity(path: str | os.PathLike) -> tuple[int, int] | None:
    """What is the same for all names of one file or folder, links followed; None: not there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def check_apart(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Refuse a target that is the source, by whatever name. Raises InputError."""
    there = identity(target)
    if there is not None and there == identity(source):
        raise InputError(f"{target}: is the source itself; name another output")


def is_older(out: str | os.PathLike, source: str | os.PathLike) -> bool:
    """Whether `source` was changed after `out` was written; not where it is no longer there."""
    try:
        return os.stat(out).st_mtime_ns < os.stat(source).st_mtime_ns
    except OSError:
        return False


@contextmanager
def whole_path(target: Path) -> Iterator[Path]:
    """A path for a library to write to, which gets the name `target` when the block ends well.

    It is in a folder of its own, as libraries have temporary files too. Raises OSError.
    """
    with _partial(target, Path.mkdir) as folder:
        path = folder / target.name
        yield path
        os.chmod(path, stat.S_IMODE(folder.stat().st_mode) & 0o666)  # as the user's mask has it
        _take_place(path, target)


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """A new file open for writing, which gets the name `target` when the block ends well.

    Raises OSError.
    """
    with _partial(target, lambda path: path.touch(exist_ok=False)) as path:
        with open(path, "r+b") as file:
            yield file
        _take_place(path, target)


def _take_place(path: Path, target: Path) -> None:
    """Give what is written its final name, and the permissions of the file that had it."""
    with suppress(OSError):  # no file had it
        os.chmod(path, stat.S_IMODE(os.stat(target).st_mode) & 0o777)
    os.replace(path, target)


@contextmanager
def _partial(target: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """Something beside `target` that `make` makes, gone when the block ends.

    It is locked meanwhile, so that others can tell it from what a killed process left
    (`clear_partial`); that is cleared away here, in every folder that this process writes to.
    """
    if target.parent not in _cleared:
        _cleared.add(target.parent)
        clear_partial(target.parent)
    while True:
        path = target.with_name(PARTIAL.format(secrets.token_hex(6)))
        _begun.add(path)
        try:
            make(path)
            with held(path) as ours:
                if ours:
                    yield path
                    return
        finally:
            _remove(path)
            _begun.discard(path)


_begun: set[Path] = set()
"""What this process is writing."""
_cleared: set[Path] = set()


def drop_unfinished() -> None:
    """Remove all that this process is writing: for one that ends at once, from any thread."""
    for path in list(_begun):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


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


def replace_folder(partial: Path, folder: Path) -> None:
    """Give the folder `partial`, beside it, the name `folder`; what had it is removed only then.

    Raises OSError.
    """
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(partial, folder)
    shutil.rmtree(old, ignore_errors=True)


def clear_partial(folder: Path) -> None:
    """Remove what killed processes left half-written in `folder`, not what living ones write."""
    remove_dead(folder.glob(PARTIAL.format("*")))


def unwritable(path: str | os.PathLike, error: Exception) -> InputError:
    """What to raise where `path` could not be written."""
    return InputError(f"{path}: cannot be written ({reason(error)}); choose another place")


def reason(error: Exception) -> str:
    """Why the system, or a library under it, refused; one line."""
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or "damaged"
