"""Tables of keys and values, as TOML and JSON give them, to validated dataclasses."""

import dataclasses
import math
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vqspeech.errors import InputError


def within(low: float, high: float, default: Any = dataclasses.MISSING) -> Any:
    """A field of a `Table`: a number, or a tuple of numbers, in [low, high]."""
    return dataclasses.field(default=default, metadata={"limits": (low, high)})


@dataclasses.dataclass(frozen=True)
class Table:
    """Base of the dataclasses that check that each value lies `within` what its field allows.

    table: what errors call it; fields may stand in it, as in "stage {name}".
    """

    _table = ""

    def __init_subclass__(cls, table: str):
        cls._table = table

    def __post_init__(self):
        for item in dataclasses.fields(self):
            if limits := item.metadata.get("limits"):
                (low, high), value = limits, getattr(self, item.name)
                for one in value if isinstance(value, tuple) else (value,):
                    fits = low <= one <= high
                    self.require(fits, f"{item.name} = {one} must lie in {low}..{high}")

    @property
    def where(self) -> str:
        """What errors call this table."""
        return self._table.format(**vars(self))

    def require(self, condition: bool, message: str) -> None:
        """Raise `InputError` naming this table unless `condition` holds."""
        if not condition:
            raise InputError(f"[{self.where}] {message}")


def convert(kind: Any, value: Any, where: str) -> Any:
    """`value` as the annotated type `kind`, or an `InputError` naming `where`."""
    if dataclasses.is_dataclass(kind):
        return build(kind, value, where)
    origin = get_origin(kind)
    if origin is UnionType:  # "KIND | None": a part that may be left out
        kind = next(choice for choice in get_args(kind) if choice is not NoneType)
        return None if value is None else convert(kind, value, where)
    if origin is Literal:
        choices = get_args(kind)
        if value not in choices:
            names = ", ".join(map(repr, choices))
            raise InputError(f"{where} = {shown(value)} must be one of {names}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or len(value) > 64:
            raise InputError(f"{where} must be a list of at most 64 values, not {shown(value)}")
        return tuple(convert(get_args(kind)[0], item, where) for item in value)
    wrong = isinstance(value, bool) != (kind is bool)
    if isinstance(value, int):  # beyond 64 bits nothing here makes sense, and much overflows
        wrong = wrong or abs(value) >= 2**63
        value = float(value) if kind is float and not wrong else value
    if wrong or not isinstance(value, kind):
        raise InputError(f"{where} = {shown(value)} must be of type {kind.__name__}")
    if kind is float and not math.isfinite(value):
        raise InputError(f"{where} = {value} must be a finite number")
    return value


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # whole numbers beyond Python's limit of digits
        return "a huge number"
    return text if len(text) <= 60 else text[:57] + "..."


def build(kind: Any, table: Any, where: str) -> Any:
    """The dataclass `kind` from a `table` of its fields; `InputError` names a key that is wrong."""
    if not isinstance(table, dict):
        raise InputError(f"[{where}] must be a table of keys and values, not {shown(table)}")
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise InputError(f"[{where}] has no key {shown(key)} (it has: {', '.join(hints)})")
    for item in dataclasses.fields(kind):
        has_default = (item.default, item.default_factory) != (dataclasses.MISSING,) * 2
        if item.name not in table and not has_default:
            raise InputError(f"[{where}] lacks the key '{item.name}'")
    return kind(**{k: convert(hints[k], v, f"{where}.{k}") for k, v in table.items()})
