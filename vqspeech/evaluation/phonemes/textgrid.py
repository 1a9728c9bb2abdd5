"""Praat TextGrids, as forced aligners write them: the intervals of the tier of phones.

Text files only, in the long and in the short form: Praat reads both as a sequence of strings in
quotes, numbers that stand alone and <flags>, whatever is written between them (Praat manual,
"TextGrid file formats"), and so does this.
"""

import re
from collections.abc import Iterator

from vqspeech.errors import InputError

PHONE_TIERS = ("phones", "phone", "phonemes", "phoneme")
"""Names of the wanted tier; with several speakers it is `anna - phones`."""

_TOKEN = re.compile(r'"((?:[^"]|"")*+)"|<(\w+)>|(?<!\S)([-+]?[\d.]+(?:[eE][-+]?\d+)?)(?!\S)')

Interval = tuple[float, float, str]


class _Tokens:
    """The tokens of a text, each asked for by its kind."""

    def __init__(self, text: str):
        self._left: Iterator[re.Match] = _TOKEN.finditer(text)

    def string(self) -> str:
        return self._next(1, "a text in quotes").replace('""', '"')

    def flag(self) -> str:
        return self._next(2, "<exists>")

    def number(self) -> float:
        text = self._next(3, "a number")
        try:
            return float(text)
        except ValueError:
            raise InputError(f"has {text!r} where a number belongs") from None

    def count(self) -> int:
        value = self.number()
        if value < 0 or not value.is_integer():
            raise InputError(f"has {value:g} where a count belongs")
        return int(value)

    def _next(self, kind: int, wanted: str) -> str:
        token = next(self._left, None)
        if token is None:
            raise InputError(f"ends where {wanted} belongs")
        if token[kind] is None:
            raise InputError(f"has {token[0][:40]!r} where {wanted} belongs")
        return token[kind]


def parse_textgrid(text: str) -> list[Interval]:
    """(start, end, label) of the first tier of phones, times in seconds, in the order of the file.

    Raises InputError, without the file's name, for what is no TextGrid or has no such tier.
    """
    tokens = _Tokens(text)
    if tokens.string() != "ooTextFile" or tokens.string() != "TextGrid":
        raise InputError("is not a TextGrid in text form")
    tokens.number(), tokens.number()  # first and last time
    if tokens.flag() != "exists":
        raise InputError("has no tiers")
    seen = []
    for _ in range(tokens.count()):
        name, intervals = _tier(tokens)
        if name.rpartition(" - ")[2].strip().lower() in PHONE_TIERS:
            return intervals
        seen.append(name)
    raise InputError(
        f"has no interval tier named {PHONE_TIERS[0]} (its tiers: {', '.join(seen) or 'none'})"
    )


def _tier(tokens: _Tokens) -> tuple[str, list[Interval]]:
    kind, name = tokens.string(), tokens.string()
    tokens.number(), tokens.number()
    if kind == "IntervalTier":
        # A list that grows with the file, not with the count that it claims.
        return name, [
            (tokens.number(), tokens.number(), tokens.string()) for _ in range(tokens.count())
        ]
    if kind != "TextTier":
        raise InputError(f"has a tier of unknown kind {kind[:40]!r}")
    for _ in range(tokens.count()):
        tokens.number(), tokens.string()
    return f"{name} (points)", []
