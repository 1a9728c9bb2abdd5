"""The one exception that means "the input is wrong", not "the program is wrong"; and its small
sister, a warning where the input is taken, but hardly what was meant."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class InputError(ValueError):
    """Bad input from the user: a file, an option, a configuration.

    The message is one line that names the thing, says what is wrong with it and what to do.
    The command line prints it without a traceback and exits with status 2.
    """


class InputWarning(UserWarning):
    """Input that is taken, but from which little good can come. One line, as of `InputError`."""


_told: ContextVar[Callable[[str], object] | None] = ContextVar("told", default=None)


def warn_of(message: str) -> None:
    """Warn (`InputWarning`) where the caller's own code calls the package, or tell whom
    `warnings_told` names."""
    if (say := _told.get()) is not None:
        say(message)
        return
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("vqspeech."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, InputWarning, stacklevel=level)


@contextmanager
def warnings_told(say: Callable[[str], object]) -> Iterator[None]:
    """Inside, what this thread warns of is told by `say`: for those who serve somebody else."""
    token = _told.set(say)
    try:
        yield
    finally:
        _told.reset(token)


@contextmanager
def named(what: str) -> Iterator[None]:
    """Errors of the input inside say first what it was; "" for nothing."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{what}: {error}" if what else str(error)) from None
