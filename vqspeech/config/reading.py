"""Configurations from TOML: the presets inside the package, and files of one's own."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from vqspeech.config.model import Config, from_dict
from vqspeech.config.tables import shown
from vqspeech.errors import InputError

PARENT = "preset"
"""Key of a TOML file that names the preset to which it makes changes."""


def preset_names() -> list[str]:
    """Names of the presets inside the package, sorted."""
    folder = resources.files("vqspeech.config") / "presets"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml"))


def load_preset(name_or_path: str | Path) -> Config:
    """A preset of the package by its name, or any TOML file by its path. Raises InputError.

    A file whose first key is `preset = "base"` has what that preset of the package has, but for the
    keys that it gives itself; of lists, such as the stages, it gives the whole or nothing.
    """
    path = Path(name_or_path)
    table = _read_table(path)
    try:
        if PARENT in table:
            parent = table.pop(PARENT)
            if parent not in preset_names():
                names = ", ".join(preset_names())
                raise InputError(f"{PARENT} = {shown(parent)} must be one of {names}")
            table = merged(_read_table(Path(parent)), table)
        return from_dict(table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def merged(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`table` with the values of `changes`, inside of tables too."""
    both = {key for key in table if isinstance(table[key], dict)}
    both = {key for key in both if isinstance(changes.get(key), dict)}
    return table | changes | {key: merged(table[key], changes[key]) for key in both}


def _read_table(path: Path) -> dict[str, Any]:
    """What a TOML file, or a preset by its name, says. Raises InputError."""
    if path.suffix == ".toml":
        source = path
    elif str(path) in preset_names():
        source = resources.files("vqspeech.config") / "presets" / f"{path}.toml"
    else:
        raise InputError(
            f"no preset '{path}': there are {', '.join(preset_names())}; "
            "a file of your own needs a name that ends in .toml"
        )
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, absurd numbers or nesting
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: is not valid TOML ({reason}); correct it") from None
