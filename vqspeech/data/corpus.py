"""Finds the utterances of a corpus: speaker folders, or a manifest."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from vqspeech.checkpoint.speakers import gender_of
from vqspeech.data.manifest import read_rows
from vqspeech.errors import InputError

EXTENSIONS = (".wav", ".flac", ".mp3", ".ogg", ".opus")
LAYOUT = "ROOT/<speaker>/*.{wav,flac,mp3,ogg,opus}"


@dataclass(frozen=True)
class Utterance:
    """One recording of one speaker. `gender`: "f", "m", or "" where nothing says it."""

    speaker: str
    name: str
    path: Path
    gender: str = ""


def find_utterances(
    root: str | os.PathLike,
    manifest: str | os.PathLike | None = None,
    splits: str | Iterable[str] | None = None,
) -> list[Utterance]:
    """The utterances under `root`, sorted by (speaker, name).

    Without `manifest`: every audio file below `root/<speaker>/`, named by its path below that
    folder without the extension; hidden files and folders are skipped. With it: the rows of a TSV
    or CSV file with a header that has at least `speaker` and `file` (relative to the manifest's
    folder; `root` is not used), optionally `utterance`, `gender`, and `split`, filtered by `splits`
    (comma-separated, or names). Raises InputError.
    """
    if manifest is not None:
        wanted = splits.split(",") if isinstance(splits, str) else splits
        names = None if wanted is None else [name.strip() for name in wanted]
        found = _from_manifest(Path(manifest), names)
    elif splits is not None:
        raise InputError(f"{root}: splits need a manifest that has them; name one")
    else:
        found = _from_folders(Path(root))
    found.sort(key=lambda utterance: (utterance.speaker, utterance.name))
    for one, two in pairwise(found):
        if (one.speaker, one.name) == (two.speaker, two.name):
            raise InputError(
                f"{two.path}: speaker {two.speaker} has two utterances named {two.name} (the other "
                f"is {one.path}); rename or remove one"
            )
    return found


def _from_folders(root: Path) -> list[Utterance]:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected the layout {LAYOUT}")
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir() and _visible(path.name))
    except OSError as error:
        raise InputError(f"{root}: cannot be read ({error.strerror}); check it") from None
    found = [utterance for folder in folders for utterance in _of_speaker(folder)]
    if not found:
        loose = sum(path.suffix.lower() in EXTENSIONS for path in root.iterdir())
        raise InputError(
            f"{root}: no audio files in speaker folders; expected {LAYOUT}, found "
            f"{len(folders)} folders without audio and {loose} audio files outside of any; "
            "move each speaker's files into a folder of that name"
        )
    return found


def _of_speaker(folder: Path) -> list[Utterance]:
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(filter(_visible, folders))
        for file in sorted(filter(_visible, files)):
            path = Path(here, file)
            if path.suffix.lower() in EXTENSIONS:
                name = path.relative_to(folder).with_suffix("").as_posix()
                found.append(Utterance(folder.name, name, path))
    return found


def _visible(name: str) -> bool:
    return not name.startswith(".")


def _from_manifest(manifest: Path, splits: list[str] | None) -> list[Utterance]:
    rows, columns = read_rows(manifest)
    missing = [name for name in ("speaker", "file") if name not in columns]
    if splits is not None and "split" not in columns:
        missing.append("split")
    if missing:
        raise InputError(
            f"{manifest}: has no column {' and no column '.join(missing)}; its first line must "
            f"name the columns (it names: {', '.join(columns) or 'none'})"
        )
    if splits is not None:
        known = sorted({row["split"] for row in rows})
        for name in splits:
            if name not in known:
                raise InputError(
                    f"{manifest}: has no split {name!r}; choose from {', '.join(known)}"
                )
        rows = [row for row in rows if row["split"] in splits]
    if not rows:
        raise InputError(f"{manifest}: names no audio files; add a line for each")
    found = []
    for row in rows:
        if not row["speaker"] or not row["file"]:
            raise InputError(f"{manifest}: a line lacks its speaker or file; complete or remove it")
        name = row.get("utterance") or Path(row["file"]).with_suffix("").as_posix()
        path = manifest.parent / row["file"]
        gender = gender_of(row.get("gender") or "")
        found.append(Utterance(row["speaker"], name, path, gender))
    return found
