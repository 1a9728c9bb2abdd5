"""The packages of the `eval` extra, imported at the moment they are needed."""

import importlib
import importlib.util
from collections.abc import Iterable
from types import ModuleType

from vqspeech.errors import InputError


def _missing(reason: object) -> InputError:
    return InputError(
        f"evaluation needs the evaluation extra: pip install 'vqspeech[eval]' ({reason})"
    )


def require(name: str) -> ModuleType:
    """Import module `name`. Raises InputError that names the extra if it cannot be imported."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise _missing(error) from None


def check(names: Iterable[str]) -> None:
    """Raise InputError now, before hours of work, if any module of `names` is not installed."""
    absent = sorted(name for name in set(names) if not installed(name))
    if absent:
        raise _missing("missing: " + ", ".join(absent))


def installed(name: str) -> bool:
    """Whether module `name` can be imported, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # ValueError: sys.modules holds None, or no spec
        return False
