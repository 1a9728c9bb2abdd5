"""Folder in, folder out: which files, under which names, and what became of them."""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from vqspeech.cli.output import files_bar, print_error
from vqspeech.errors import InputError
from vqspeech.files import make_folder


def plan(source: str, target: str, kinds: Sequence[str], suffix: str) -> list[tuple[Path, Path]]:
    """(file in `source`, file to write in `target`), the tree mirrored, sorted.

    Files with an extension in `kinds` count; hidden ones do not. Raises InputError: nothing to do,
    a file where `target` should be, a folder that cannot be read, two files with the same output.
    """
    if os.path.exists(target) and not os.path.isdir(target):
        raise InputError(
            f"{target}: is a file, but {source} is a folder; name a folder to write to"
        )
    found: dict[Path, Path] = {}
    for path in _files(source, kinds):
        out = (Path(target) / path.relative_to(source)).with_suffix(suffix)
        if out in found:
            raise InputError(f"{path}: would overwrite what {found[out]} makes; rename one of them")
        found[out] = path
    if not found:
        raise InputError(f"{source}: has no files to read ({', '.join(kinds)}); check the folder")
    return [(path, out) for out, path in found.items()]


def plan_of(
    args: argparse.Namespace, kinds: Sequence[str], formats: Sequence[str]
) -> list[tuple[Path, Path]] | None:
    """The `plan` of a folder IN, in --format, usually the first of `formats`; None for a file,
    whose output's name says the format. Raises InputError."""
    if os.path.isdir(args.input):
        return plan(args.input, args.output, kinds, f".{args.format or formats[0]}")
    if args.format:
        raise InputError("--format is for folders; the name of the output file says it")
    return None


def _files(source: str, kinds: Sequence[str]) -> list[Path]:
    def refuse(error: OSError):
        raise InputError(
            f"{error.filename}: cannot be read ({error.strerror}); check its permissions"
        ) from None

    found = []
    for here, folders, files in os.walk(source, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(here, name) for name in files if not name.startswith("."))
        found += [path for path in paths if path.suffix.lower() in kinds]
    return sorted(found)


def work_through(jobs: list[tuple[Path, Path]], work: Callable[[Path, Path], float]) -> float:
    """Call `work(file, output)`, which returns seconds of audio, for each; returns their sum.

    What cannot be read is listed on stderr at the end and then raised as one InputError: the other
    files are written all the same.
    """

    def attempt(job: tuple[Path, Path]) -> float | InputError:
        try:
            make_folder(job[1].parent)
            return work(*job)
        except InputError as error:
            return error

    return total(map(attempt, jobs), len(jobs))


def total(results: Iterable[float | InputError], number: int) -> float:
    """The sum of the seconds among `number` results, under a progress bar; errors as above."""
    refused, seconds = [], 0.0
    for result in files_bar(results, number):
        if isinstance(result, InputError):
            refused.append(result)
        else:
            seconds += result
    for error in refused:
        print_error(error)
    if refused:
        raise InputError(
            f"{len(refused)} of {number} files failed (listed above), the rest is written; "
            "mend or remove them"
        )
    return seconds
