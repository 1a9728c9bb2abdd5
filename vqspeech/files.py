"""Files that are there whole or not at all, whatever happens while they are written."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vqspeech.errors import InputError


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """A new file that gets the name `target` when the block ends well, and is gone if it does not.

    Raises OSError.
    """
    partial = target.with_name(f".vqspeech-{secrets.token_hex(6)}.tmp")
    try:
        with open(partial, "xb") as file:
            yield file
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def output_file(path: str | os.PathLike, target: Path) -> Iterator[BinaryIO]:
    """`whole_file(target)` of what a user asked for as `path`. Raises InputError that names it."""
    try:
        with whole_file(target) as file:
            yield file
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another place"
        ) from None
