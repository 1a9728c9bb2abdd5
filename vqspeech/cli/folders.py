"""Folder in, folder out: which files, under which names, and what became of them."""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from vqspeech.audio.kinds import is_recording
from vqspeech.cli.output import files_bar, print_error, say
from vqspeech.cli.overwriting import ADVICE, check_outputs
from vqspeech.data.listing import Listing, listed, require_files
from vqspeech.errors import InputError
from vqspeech.files import inside, make_folder


def plan(
    source: str, target: str, kinds: Sequence[str], suffix: str | None
) -> list[tuple[Path, Path]]:
    """(file in `source`, file to write in `target`), the tree mirrored, sorted.

    suffix: of what is written; None: each file's own, in small letters. Files with an extension in
    `kinds` count, hidden ones and those below `target` do not; what is left out is said. Raises
    InputError: nothing to do, a file where `target` should be, a folder that cannot be read, two
    files with the same output, a link in `target` that leads out of it.
    """
    if os.path.exists(target) and not os.path.isdir(target):
        raise InputError(
            f"{target}: is a file, but {source} is a folder; name a folder to write to"
        )
    listing = listed(source, kinds, target)
    require_files(listing, source, kinds)
    outs = (
        path.relative_to(source).with_suffix(suffix or path.suffix.lower())
        for path in listing.files
    )
    pairs = zip(listing.files, outs, strict=True)
    jobs = distinct((path, inside(target, Path(target, out))) for path, out in pairs)
    say_left_out(source, listing)
    return jobs


def distinct(jobs: Iterable[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """`jobs`, no two of which write to the same name. Raises InputError."""
    found: dict[Path, Path] = {}
    for path, out in jobs:
        if out in found:
            raise InputError(f"{path}: would overwrite what {found[out]} makes; rename one of them")
        found[out] = path
    return [(path, out) for out, path in found.items()]


def say_left_out(source: str | os.PathLike, listing: Listing) -> None:
    """One line about the files of a folder that are not read, if there are any."""
    if what := listing.left_out():
        say(f"{source}: left out {what}")


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


def check_overwriting(args: argparse.Namespace, jobs: Sequence[tuple[Path, Path]] | None) -> None:
    """Refuse what the outputs of IN, or of the files of a folder, would destroy, --speaker's file
    too: see `check_outputs`; with --resume but for write protection. Raises InputError."""
    pairs = [(args.input, args.output)] if jobs is None else jobs
    outs, paths = [out for _, out in pairs], [path for path, _ in pairs]
    if voice := getattr(args, "speaker", None):
        paths = [*paths, voice]
    globbed = jobs is None and is_recording(args.input) and is_recording(args.output)
    more = "; for all recordings of a folder give the folder as IN, not `*`" if globbed else ""
    resumed = getattr(args, "resume", False)
    check_outputs(outs, paths, args.force, ADVICE + more, not resumed)


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
    check_none_failed(len(refused), number)
    return seconds


def check_none_failed(failed: int, number: int) -> None:
    """Raises InputError, once the others are written, if some of `number` files have failed."""
    if failed:
        rest = "the rest is written" if failed < number else "nothing was written"
        raise InputError(
            f"{failed} of {number} files failed (listed above), {rest}; mend or remove them"
        )
