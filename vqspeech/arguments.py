"""What a caller in Python gives: numbers, switches, one thing for each of several, and arrays.

Taken where it can only be meant so, whatever its type; refused with a line otherwise.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from vqspeech.errors import InputError

MOST_SHOWN = 60
"""Characters of a wrong value that a message repeats."""


def shown(value: object) -> str:
    """A wrong value as a message repeats it: on one line, cut."""
    text = " ".join(repr(value).split())
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def whole(name: str, value: Any, low: int, high: int, unit: str = "") -> int:
    """A whole number of any type, 44100.0 too, in low..high. Raises InputError."""
    number = _scalar(value)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise InputError(
            f"{name} {shown(value)} must be a whole number{unit and f' of {unit}'} in {low}..{high}"
        )
    return number


def real(name: str, value: Any, low: float, high: float, above: bool = False) -> float:
    """A number of any type in low..high, and, if so said, above `low`; never NaN.

    Raises InputError.
    """
    number = _scalar(value)
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not is_number or not low <= number <= high or (above and number == low):
        span = f"above {low:g} and at most {high:g}" if above else f"in {low:g}..{high:g}"
        raise InputError(f"{name} {shown(value)} must be a number {span}")
    return float(number)


def switch(name: str, value: Any) -> bool:
    """True or False and nothing that is merely taken for one, as "no" is. Raises InputError."""
    found = _scalar(value)
    if not isinstance(found, bool):
        raise InputError(f"{name} {shown(value)} must be True or False")
    return found


def _scalar(value: Any) -> Any:
    """NumPy's and PyTorch's scalars as Python's own."""
    is_scalar = getattr(value, "ndim", None) == 0 and hasattr(value, "item")
    return value.item() if is_scalar else value


def is_path(value: object) -> bool:
    """Whether `value` is the name of a file, or bytes."""
    return isinstance(value, str | bytes | bytearray | os.PathLike)


def listed(what: str, given: Any, dimensions: int = 1) -> list:
    """Several things, in a list, an iterator or an array of so many dimensions, as a list.

    what: they are called. Raises InputError for one thing alone.
    """
    one = getattr(given, "ndim", dimensions) < dimensions
    if one or is_path(given) or not isinstance(given, Iterable):
        raise InputError(f"{what} must be a list, not {shown(given)}; give a list of them")
    return list(given)


def for_each(what: str, given: Any, number: int) -> list:
    """`given` for each of `number` things: one for all, or a sequence or array of one for each.

    what: they are called, in the plural. Raises InputError for another number of them.
    """
    several = isinstance(given, Sequence) or getattr(given, "ndim", 0) == 1
    if is_path(given) or not several:
        return [given] * number
    if len(given) != number:
        raise InputError(f"{len(given)} {what} for {number} recordings; give one, or one for each")
    return list(given)


def plain_array(what: str, given: Any) -> np.ndarray:
    """An array of anything that has numbers: arrays, lists, buffers, tensors on any device.

    Tensors of floats become float32. Raises InputError for masked values, lists of unequal
    lengths, and what NumPy does not take.
    """
    if np.ma.is_masked(given):
        raise InputError(f"{what} has masked values; fill them first, as with .filled(0)")
    try:
        if hasattr(given, "detach"):  # a tensor, whose gradient, device and bfloat16 NumPy refuses
            given = given.detach().cpu()
            given = (given.float() if given.is_floating_point() else given).numpy()
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"{what} cannot be taken as an array ({shown(str(error))}); give numpy.array(...)"
        ) from None
