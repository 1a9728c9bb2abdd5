"""What a folder holds: the files to read, and those that are left out, which are counted."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vqspeech.errors import InputError
from vqspeech.files import identity

SHOWN_NAMES, SHOWN_KINDS = 3, 8
"""Of each sort, in a message."""


@dataclass
class Listing:
    """Files of a folder and of all below it, sorted.

    files: with one of the wanted extensions. others: with another one, or no regular files.
    hidden: files and folders, whose name begins with a dot. outputs: in the folder that is written
    to, which lies in this one. loose: in no folder of a speaker, where a corpus has such.
    """

    files: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    hidden: list[Path] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    loose: list[Path] = field(default_factory=list)

    def left_out(self) -> str:
        """All that is left out, counted and named, for a line; "" for nothing."""
        sorts = (
            (self.outputs, "in the folder of the output"),
            (self.loose, "in no speaker's folder"),
            (self.others, "of other kinds"),
            (self.hidden, "hidden"),
        )
        return ", ".join(f"{len(some)} {what} ({_names(some)})" for some, what in sorts if some)


def listed(
    folder: str | os.PathLike, kinds: Sequence[str], out: str | os.PathLike | None = None
) -> Listing:
    """The files of `folder` with an extension in `kinds` (small letters), at any depth.

    Links to folders are followed; a folder that several names lead to is read once, under its own
    name if that is one of them. out: the folder that is written to, which may lie in this one.
    Raises InputError for a folder that cannot be read.
    """
    found, seen, waiting = Listing(), set(), [os.fspath(folder)]
    target = None if out is None else identity(out)
    if target == identity(folder):
        target = None
    for top in waiting:  # which grows: links are followed once all real folders are read
        for here, folders, files in os.walk(top, onerror=_refuse):
            place = identity(here)
            if place in seen:
                folders.clear()
                continue
            seen.add(place)
            if target is not None and place == target:
                found.outputs += listed(here, kinds).files
                folders.clear()
                continue
            found.hidden += [Path(here, name) for name in folders + files if _is_hidden(name)]
            folders[:] = sorted(name for name in folders if not _is_hidden(name))
            paths = (os.path.join(here, name) for name in folders)
            waiting += [path for path in paths if os.path.islink(path) and not _is_loop(path)]
            for name in files:
                if not _is_hidden(name):
                    path = Path(here, name)
                    (found.files if _is_wanted(path, kinds) else found.others).append(path)
    for some in (found.files, found.others, found.hidden, found.outputs):
        some.sort()
    return found


def require_files(listing: Listing, folder: str | os.PathLike, kinds: Sequence[str]) -> None:
    """Raises InputError if there is nothing to read."""
    if not listing.files:
        some = ", ".join(kinds[:SHOWN_KINDS]) + (", ..." if len(kinds) > SHOWN_KINDS else "")
        what = listing.left_out()
        raise InputError(
            f"{folder}: has no files to read ({some}){'; left out ' if what else ''}{what}; "
            "check the folder"
        )


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _is_loop(link: str) -> bool:
    """Whether a link to a folder leads to one that it stands in, however far up."""
    here, there = os.path.realpath(os.path.dirname(link)), os.path.realpath(link)
    return os.path.commonpath([here, there]) == there


def _is_wanted(path: Path, kinds: Sequence[str]) -> bool:
    # A link that leads nowhere is wanted, and what may not be looked at, which makes pathlib's
    # methods raise: that it cannot be read is then said.
    wanted = path.suffix.lower() in kinds
    return wanted and (os.path.isfile(path) or not os.path.exists(path))


def _names(paths: list[Path]) -> str:
    names = [path.name for path in paths[:SHOWN_NAMES]]
    return ", ".join(names) + (", ..." if len(paths) > SHOWN_NAMES else "")


def _refuse(error: OSError):
    raise InputError(
        f"{error.filename}: cannot be read ({error.strerror}); check its permissions"
    ) from None
