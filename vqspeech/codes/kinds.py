"""Which kind of codes a file holds: its first bytes say it, or else its name."""

import os
from contextlib import suppress

from numpy.lib import format as npy_format

from vqspeech.codes.header import MAGIC
from vqspeech.codes.vqs import SUFFIX as VQS

NPY = ".npy"
STARTS = {MAGIC: VQS, npy_format.MAGIC_PREFIX: NPY}
START_BYTES = max(map(len, STARTS))


def kind_of(path: str | os.PathLike) -> str:
    """VQS or NPY; "" for what is neither by its first bytes nor by its name."""
    start = b""
    if os.path.isfile(path):
        with suppress(OSError), open(path, "rb") as file:
            start = file.read(START_BYTES)
    return kind_by(start, path)


def kind_by(start: bytes, path: str | os.PathLike = "") -> str:
    """`kind_of` a file that begins so. path: its name, "" in a pipe."""
    for magic, kind in STARTS.items():
        if start.startswith(magic):
            return kind
    name = os.fspath(path).lower()
    return next((kind for kind in STARTS.values() if name.endswith(kind)), "")
