"""Folders of reports, and text files that are there whole or not at all."""

import os
from pathlib import Path

from vqspeech.errors import InputError
from vqspeech.files import whole_file


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, folders made as needed. Raises InputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); check it") from None


def make_folder(path: str | os.PathLike) -> Path:
    """The folder `path`, made if needed and found writable. Raises InputError."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be made ({error.strerror}); name another folder"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written to; name another folder")
    return folder
