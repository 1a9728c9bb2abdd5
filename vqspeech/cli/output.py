"""What the command line says: lines and progress bars on stderr. Only results go to stdout."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Line ends and terminal commands: file and tensor names may have them, messages may not."""


def say(message: object) -> None:
    """One line on stderr, whatever `message` holds."""
    print(f"vqspeech: {UNPRINTABLE.sub(' ', str(message))}", file=sys.stderr)


def print_error(message: object) -> None:
    """One line on stderr that says what went wrong."""
    say(f"error: {message}")


@contextmanager
def seconds_bar(seconds: float) -> Iterator[Callable[[float], None]]:
    """A progress bar of `seconds` of audio; yields a function to call with the seconds done.

    Like every bar here it is drawn on a terminal only, and wiped at the end.
    """
    from tqdm import tqdm

    shape = "{percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} s of audio [{elapsed}<{remaining}]"
    with tqdm(total=seconds, bar_format=shape, leave=False, disable=None) as bar:
        yield lambda done: bar.update(done - bar.n)


@contextmanager
def share_bar() -> Iterator[Callable[[float], None]]:
    """A progress bar of 100 %; yields a function to call with the share done, 0 to 1."""
    from tqdm import tqdm

    shape = "{percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]"
    with tqdm(total=1.0, bar_format=shape, leave=False, disable=None) as bar:
        yield lambda done: bar.update(done - bar.n)


def files_bar(items: Iterable, number: int, unit: str = "file") -> Iterator:
    """The `number` items, one by one, under a progress bar of files (or of another unit)."""
    from tqdm import tqdm

    return tqdm(items, total=number, unit=unit, leave=False, disable=None)
