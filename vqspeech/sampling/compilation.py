"""Compiling the kernels for this machine, which takes half a minute, once: they are kept on disk.

numba has such a cache, which cannot be had without a folder to write to, runs a file that is
damaged, and does not see that a kernel has changed where what it calls has. So here a kernel's file
begins with a hash of what it was made from, the sources of all kernels and of their constants, and
of what it holds; if that is not right it is compiled again. Without any folder kernels are compiled
each time.
"""

import hashlib
import pickle
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import njit
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from vqspeech.files import whole_file
from vqspeech.notices import notify
from vqspeech.sampling.kernel_folders import readable, writable

SUFFIX = ".kernel"
HASH_BYTES = 32

_announced: list[str] = []


def kernel(**options: Any) -> Callable[[Callable], Any]:
    """`numba.njit` with these options, without the GIL, dividing as NumPy does, kept on disk."""

    def compiled(function: Callable) -> Any:
        dispatcher: Any = njit(error_model="numpy", nogil=True, **options)(function)
        dispatcher._cache = KernelCache(function)
        return dispatcher

    return compiled


class KernelCache(NullCache):
    """A kernel's compiled forms on disk, one file for each type of arguments and processor."""

    def __init__(self, function: Callable):
        self._name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"

    def load_overload(self, sig, target_context):
        """What is kept for a signature, None where there is nothing that can be used."""
        target_context.refresh()
        name = self._file_name(sig, target_context.codegen())
        for folder in readable():
            data = _intact(folder / name)
            if data is not None:
                return CompileResult._rebuild(target_context, *pickle.loads(data))
        _announce_compilation()
        return None

    def save_overload(self, sig, data) -> None:
        """Keep a signature's compiled form in the first folder that takes it."""
        if source_hash() is None or data.library.has_dynamic_globals:
            return
        payload, name = dumps(data._reduce()), self._file_name(sig, data.codegen)
        for folder in writable():
            try:
                with whole_file(folder / name) as file:
                    file.write(_seal(payload) + payload)
                return
            except OSError:  # it is full, or no longer there
                continue

    def _file_name(self, sig, codegen) -> str:
        """Names the kernel, its arguments, the processor, and the installation."""
        about = repr((str(sig), codegen.magic_tuple(), __file__))
        return f"{self._name}-{hashlib.sha256(about.encode()).hexdigest()[:16]}{SUFFIX}"


def _intact(path: Path) -> bytes | None:
    """What a kernel's file holds; None if it is not there, damaged, or made from other sources."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    seal, payload = data[:HASH_BYTES], data[HASH_BYTES:]
    return payload if seal == _seal(payload) else None


def _seal(payload: bytes) -> bytes:
    return hashlib.sha256((source_hash() or b"") + payload).digest()


@lru_cache(maxsize=1)
def source_hash() -> bytes | None:
    """Of the sources of this room, of the constants that it has from `audio.signal`, and of the
    compilers; None where there are no sources, and so no telling whether a kernel is up to date."""
    versions = (sys.version, numba.__version__, llvmlite.__version__, np.__version__)
    found = hashlib.sha256(repr(versions).encode())
    try:
        sources = sorted(resources.files("vqspeech.sampling").iterdir(), key=lambda file: file.name)
        sources.append(resources.files("vqspeech.audio") / "signal.py")
        texts = [file.read_bytes() for file in sources if file.name.endswith(".py")]
    except (OSError, TypeError, ValueError):
        return None
    for text in texts:
        found.update(hashlib.sha256(text).digest())
    return found.digest() if texts else None


def _announce_compilation() -> None:
    """Say on stderr, once, that what comes now takes time."""
    if _announced:
        return
    _announced.append("said")
    keeps = source_hash() is not None and next(writable(), None) is not None
    how_often = (
        "once (up to half a minute)"
        if keeps
        else "which takes up to half a minute at each start: there is no folder to keep it in; "
        "set NUMBA_CACHE_DIR to one that this user can write to"
    )
    notify(f"compiling the sampler for this machine, {how_often}")
