"""Locks that end with the process that holds them, however it ends.

They are the system's (flock), so nothing is left to clear where a process was killed. A file system
that knows no locks (some network ones) is no reason to stop: the work goes on without.
"""

import errno
import os
import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vqspeech.errors import InputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_FILE = ".vqspeech.lock"
STALE_SECONDS = 86400.0
"""Without locks, what nobody has touched for a day is left by a dead process."""
_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_HOLDER_BYTES = 300
_BEYOND = 1 << 30
"""Windows locks bytes, not files: one beyond all that is read."""


def take(descriptor: int) -> bool | None:
    """Lock an open file or folder until it is closed, or the process ends: whether it is ours now.

    None: there are no locks here.
    """
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _BEYOND, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _BUSY else None
    return True


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the lock of a file or folder that this process has just made; False: somebody took it
    for a dead one's (`remove_dead`) in that moment, and it is gone."""
    if sys.platform == "win32":  # which lets nobody remove or rename what is open
        yield True
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield take(descriptor) is not False and path.exists()
    finally:
        os.close(descriptor)


def remove_dead(paths: Iterable[Path]) -> None:
    """Remove those files and folders, made under `held`, whose process is dead.

    Another user's stay, and so does what cannot be removed.
    """
    for path in paths:
        with suppress(OSError):
            about = path.lstat()
            if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
                continue
            if stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode):
                _remove_dead(path, time.time() - about.st_mtime > STALE_SECONDS)


def _remove_dead(path: Path, old: bool) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        ours = take(descriptor)
        if ours or (ours is None and old):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
    finally:
        os.close(descriptor)


@contextmanager
def sole_process(folder: Path) -> Iterator[None]:
    """Be the only process at work in `folder`, which exists.

    Raises InputError that names the other one.
    """
    path = folder / LOCK_FILE
    descriptor = _only_holder(path)
    try:
        yield
    finally:
        if descriptor is not None:
            with suppress(OSError):  # Windows: it is open
                path.unlink()
            os.close(descriptor)


def _only_holder(path: Path) -> int | None:
    """The descriptor that holds the lock of `path`; None where nothing can be locked."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:  # what is written next says why
            return None
        ours = take(descriptor)
        if ours is False:
            holder = os.pread(descriptor, _HOLDER_BYTES, 0) if hasattr(os, "pread") else b""
            os.close(descriptor)
            who = holder.decode(errors="replace").strip() or "another process"
            raise InputError(
                f"{path.parent}: {who} is at work there; wait until it ends, stop it, or name "
                "another folder"
            )
        if ours and not _still_there(path, descriptor):  # its holder ended meanwhile
            os.close(descriptor)
            continue
        with suppress(OSError):
            os.truncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        return descriptor


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
