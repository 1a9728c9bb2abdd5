"""Where compiled kernels are kept: folders that nobody else can write to.

What is found there is run as machine code, so a folder to which others can write is as good as
none. The installation's `__pycache__` is trusted as the code beside it is; the others are folders
of the user's alone, made with mode 0700.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from numba.misc.appdirs import AppDirs

IN_PACKAGE = Path(__file__).parent / "__pycache__"


def readable() -> Iterator[Path]:
    """Folders in which kernels may be, that can be trusted; the preferred first."""
    return (folder for folder in _folders() if _is_trusted(folder))


def writable() -> Iterator[Path]:
    """Folders to which kernels can be written, made where they are missing; the preferred first."""
    for folder in _folders():
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o755 if folder == IN_PACKAGE else 0o700, exist_ok=True)
            if _is_trusted(folder) and os.access(folder, os.W_OK | os.X_OK):
                yield folder


def _folders() -> Iterator[Path]:
    name = f"vqspeech-kernels-{os.geteuid()}" if hasattr(os, "geteuid") else "vqspeech-kernels"
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(chosen).absolute() / name
    yield IN_PACKAGE
    caches = AppDirs("vqspeech", appauthor=False).user_cache_dir
    # "~" stays what it is where the user has neither HOME nor a name; a home is not ours to make.
    if os.path.isabs(caches) and os.path.isdir(os.path.expanduser("~")):
        yield Path(caches) / name
    with suppress(OSError):  # no folder for temporary files can be written to
        yield Path(tempfile.gettempdir()) / name


def _is_trusted(folder: Path) -> bool:
    """Whether it is a folder that only this user can write to, or the code's own."""
    try:
        about = os.lstat(folder)
    except OSError:
        return False
    if not stat.S_ISDIR(about.st_mode):  # a link may lead to anybody's
        return False
    if folder == IN_PACKAGE or not hasattr(os, "geteuid"):
        return True
    return about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
