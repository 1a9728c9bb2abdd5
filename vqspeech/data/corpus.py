"""Finds the utterances of a corpus: speaker folders, or a manifest."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePath

from vqspeech.audio.kinds import ALL_SUFFIXES, is_recording
from vqspeech.checkpoint.speakers import gender_of
from vqspeech.data.listing import Listing, listed
from vqspeech.data.manifest import Row, read_rows
from vqspeech.errors import InputError

LAYOUT = "ROOT/<speaker>/*.wav (or .flac, .mp3, ...)"


@dataclass(frozen=True)
class Utterance:
    """One recording of one speaker. `gender`: "f", "m", or "" where nothing says it. `split`: the
    manifest's, "" where it has none."""

    speaker: str
    name: str
    path: Path
    gender: str = ""
    split: str = ""


def find_utterances(
    root: str | os.PathLike,
    manifest: str | os.PathLike | None = None,
    splits: str | Iterable[str] | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> list[Utterance]:
    """The utterances under `root`, sorted by (speaker, name).

    Without `manifest`: every recording (`audio.kinds`) below `root/<speaker>/`, named by its path
    below that folder without the extension; hidden files and folders are left out, links to folders
    are followed. With it: the rows of a TSV or CSV file with a header that has at least `speaker`
    and `file` (relative to the manifest's folder), optionally `utterance`, `gender`, and `split`,
    filtered by `splits` (comma-separated, or names). A row without `utterance` is named by its
    file: see `name_of`. say: called with a line about what is left out, or not
    understood. Raises InputError.
    """
    if manifest is not None:
        wanted = splits.split(",") if isinstance(splits, str) else splits
        names = None if wanted is None else [name.strip() for name in wanted]
        found = _from_manifest(Path(manifest), names, root, say)
    elif splits is not None:
        raise InputError(f"{root}: splits need a manifest that has them; name one")
    else:
        found = _from_folders(Path(root), say)
    found.sort(key=lambda utterance: (utterance.speaker, utterance.name))
    for one, two in pairwise(found):
        if (one.speaker, one.name) == (two.speaker, two.name):
            raise InputError(
                f"{two.path}: speaker {two.speaker} has two utterances named {two.name} (the other "
                f"is {one.path}); rename or remove one"
            )
    return found


def _from_folders(root: Path, say: Callable[[str], object]) -> list[Utterance]:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected the layout {LAYOUT}")
    try:
        inside = sorted(root.iterdir())
    except OSError as error:
        raise InputError(f"{root}: cannot be read ({error.strerror}); check it") from None
    left = Listing(hidden=[path for path in inside if path.name.startswith(".")])
    visible = [path for path in inside if not path.name.startswith(".")]
    folders = [path for path in visible if path.is_dir()]
    for path in visible:
        if not path.is_dir():
            (left.loose if is_recording(path) else left.others).append(path)
    found = []
    for folder in folders:
        listing = listed(folder, ALL_SUFFIXES)
        found += [_of_speaker(folder, path) for path in listing.files]
        left.others += listing.others
        left.hidden += listing.hidden
    if not found:
        raise InputError(
            f"{root}: no audio files in speaker folders; expected {LAYOUT}, found {len(folders)} "
            f"folders without audio and {len(left.loose)} audio files outside of any; "
            "move each speaker's files into a folder of that name"
        )
    if what := left.left_out():
        say(f"{root}: left out {what}")
    return found


def _of_speaker(folder: Path, path: Path) -> Utterance:
    return Utterance(folder.name, path.relative_to(folder).with_suffix("").as_posix(), path)


def _from_manifest(
    manifest: Path,
    splits: list[str] | None,
    root: str | os.PathLike,
    say: Callable[[str], object],
) -> list[Utterance]:
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
        if lacking := [column for column in ("speaker", "file") if not row[column]]:
            raise InputError(
                f"{manifest}: line {row.line} has no {' and no '.join(lacking)}; complete or "
                "remove it"
            )
        name = row.get("utterance") or name_of(row["file"], manifest, root)
        path = manifest.parent / row["file"]
        gender = gender_of(row.get("gender") or "")
        found.append(Utterance(row["speaker"], name, path, gender, row.get("split") or ""))
    _say_odd_genders(manifest, rows, say)
    return found


def _say_odd_genders(manifest: Path, rows: list[Row], say: Callable[[str], object]) -> None:
    odd = [text for row in rows if (text := row.get("gender")) and not gender_of(text)]
    if odd:
        many = "1 row has" if len(odd) == 1 else f"{len(odd)} rows have"
        say(f"{manifest}: {many} a gender that is not understood, as {odd[0]!r:.40}; write f or m")


def name_of(file: str, manifest: Path, root: str | os.PathLike) -> str:
    """The name of an utterance that has none: its file's path as the manifest has it, without the
    extension. Where that is absolute or has `..`: the path below `root`, else below the manifest's
    folder, else below `/`, so that no name leads out of the folder it is used in. Raises
    InputError for what names no file.
    """
    path = PurePath(file)
    if not path.name or path.name == "..":
        raise InputError(f"{manifest}: {file!r} names no file; correct the line")
    if path.is_absolute() or ".." in path.parts:
        path = PurePath(os.path.abspath(manifest.parent / path))
        bases = [os.path.abspath(base) for base in (root, manifest.parent) if os.fspath(base)]
        base = next((base for base in bases if path.is_relative_to(base)), path.anchor)
        path = path.relative_to(base)
    return path.with_suffix("").as_posix()
