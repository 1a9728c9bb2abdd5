"""What a folder holds, in a form that can be compared: digests of what files say, not of when."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from safetensors import safe_open

Snapshot = dict[str, str]
VOLATILE = ("log.jsonl", "tensorboard", "report.html", "report.md", "phonemes.md")
"""Logs say what was done when, and the pages of a report how long it took: `report.json` speaks for
them, without `TIMED`."""
TIMED = ("seconds_taken", "date", "machine", "speed")


def snapshot(folder: Path) -> Snapshot:
    """Digest by name of every file that is not hidden; "unreadable: ..." for half a file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not is_hidden(name) and not set(name.split("/")) & set(VOLATILE):
            try:
                found[name] = _says(path)
            except Exception as error:  # whatever a reader makes of half a file
                found[name] = f"unreadable: {error}"
    return found


def hidden(folder: Path) -> list[str]:
    """Names of hidden files and folders at any depth."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(name for name in names if is_hidden(name))


def is_hidden(name: str) -> bool:
    """Whether any part of a path begins with a dot."""
    return any(part.startswith(".") for part in name.split("/"))


def _says(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in READERS.get(path.suffix, _plain)(path):
        digest.update(part)
    return digest.hexdigest()


def _plain(path: Path) -> list[bytes]:
    return [path.read_bytes()]


def _json(path: Path) -> list[bytes]:
    return [json.dumps(_timeless(json.loads(path.read_bytes())), sort_keys=True).encode()]


def _timeless(value):
    if isinstance(value, dict):
        return {key: _timeless(one) for key, one in value.items() if key not in TIMED}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _tensors(path: Path) -> list[bytes]:
    """Tensors and what is said of them, but for the seconds in the position of a run."""
    with safe_open(path, "np") as file:
        about = json.dumps(file.metadata() or {}, sort_keys=True)
        parts = [re.sub(r'\\"seconds\\": [^,}]*', "", about).encode()]
        for name in sorted(file.keys()):
            parts += [name.encode(), file.get_tensor(name).tobytes()]
    return parts


def _codes(path: Path) -> list[bytes]:
    return [np.load(path).tobytes()]


def _sound(path: Path) -> list[bytes]:
    wave, rate = soundfile.read(path, dtype="int16")
    if not len(wave):
        raise ValueError("no samples")
    return [str(rate).encode(), wave.tobytes()]


READERS: dict[str, Callable[[Path], list[bytes]]] = {
    ".json": _json,
    ".safetensors": _tensors,
    ".npy": _codes,
    ".wav": _sound,
    ".flac": _sound,
}
"""A `.vqs` file is compared byte by byte, so half of one is another."""
