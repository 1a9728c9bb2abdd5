"""How many levels codes files have, by their headers alone: what is done, what would be lost."""

import os
from collections.abc import Iterable
from pathlib import Path

from vqspeech.codes.npy import npy_levels
from vqspeech.codes.vqs import is_vqs, vqs_header
from vqspeech.errors import InputError


def levels_of(path: str | os.PathLike) -> int | None:
    """Levels of a `.vqs` or `.npy` file; None where it is not there, or not to be read as codes."""
    try:
        return vqs_header(path).levels if is_vqs(path) else npy_levels(path)
    except InputError:
        return None


def check_no_loss(pairs: Iterable[tuple[int, str | os.PathLike]], globbed: bool = False) -> None:
    """Refuse to write fewer levels over more: what the upper ones say would be lost.

    pairs: (levels that would be written, the output). globbed: whether these may be what a shell
    makes of `*`. Raises InputError.
    """
    found = ((levels, Path(out), levels_of(out) or 0) for levels, out in pairs)
    richer = [(levels, out, there) for levels, out, there in found if there > levels]
    if not richer:
        return
    levels, out, there = richer[0]
    more = f" (and {len(richer) - 1} more such files)" if len(richer) > 1 else ""
    hint = "; for all codes of a folder give the folder as IN, not `*`" if globbed else ""
    raise InputError(
        f"{out}: is there already, with {there} levels of codes where {levels} would be written"
        f"{more}; name another output, or replace it with --force{hint}"
    )
