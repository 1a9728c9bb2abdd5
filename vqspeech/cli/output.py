"""What the command line says: lines and progress bars on stderr. Only results go to stdout."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from vqspeech.notices import notify


def say(message: object) -> None:
    """One line on stderr, whatever `message` holds."""
    notify(message)


def print_error(message: object) -> None:
    """One line on stderr that says what went wrong."""
    say(f"error: {message}")


def seconds_bar(seconds: float) -> AbstractContextManager[Callable[[float], object]]:
    """A progress bar of `seconds` of audio; yields a function to call with the seconds done.

    Like every bar here it is drawn on a terminal only, and wiped at the end.
    """
    return _bar(seconds, "{n:.1f}/{total:.1f} s of audio ")


def share_bar() -> AbstractContextManager[Callable[[float], object]]:
    """A progress bar of 100 %; yields a function to call with the share done, 0 to 1."""
    return _bar(1.0, "")


@contextmanager
def _bar(total: float, text: str) -> Iterator[Callable[[float], object]]:
    from tqdm import tqdm

    shape = f"{{percentage:3.0f}}%|{{bar}}| {text}[{{elapsed}}<{{remaining}}]"
    # With any delay it is first drawn when something is done: lines may be said before that.
    with tqdm(total=total, bar_format=shape, leave=False, disable=None, delay=1e-9) as bar:
        yield lambda done: bar.update(done - bar.n)


def files_bar(items: Iterable, number: int, unit: str = "file") -> Iterable:
    """The `number` items, one by one, under a progress bar of files (or of another unit)."""
    from tqdm import tqdm

    return tqdm(items, total=number, unit=unit, leave=False, disable=None)
