"""The speakers of a model: names to rows of its speaker table."""

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vqspeech.config.tables import Table, shown, within
from vqspeech.errors import InputError

GENDERS = ("f", "m", "")
GENDER_WORDS = {
    "f": ("f", "female", "w", "woman", "girl", "weiblich", "feminine", "female_feminine"),
    "m": ("m", "male", "man", "boy", "männlich", "masculine", "male_masculine"),
}
"""What corpora write, in small letters; the last of each is Common Voice's."""
MAX_F0 = 2_000.0
"""Hz; nobody speaks so high."""
ORDERS = ("row", "name", "minutes")


@dataclass(frozen=True)
class Speaker(Table, table="speakers: {name!r}"):
    """A speaker identity of a model or of a corpus.

    gender: "f", "m" or, where it is not known, "". minutes: of training speech. f0: its median in
    Hz, 0 where it is not known. Raises InputError for impossible values.
    """

    name: str
    gender: str = ""
    minutes: float = within(0.0, 1e12, 0.0)
    f0: float = within(0.0, MAX_F0, 0.0)

    def __post_init__(self):
        super().__post_init__()
        self.require(self.name != "", "one has no name")
        self.require(self.gender in GENDERS, f"gender = {shown(self.gender)} must be f, m or empty")

    def to_dict(self) -> dict[str, Any]:
        """A row for JSON: name, gender, minutes and, where it is known, f0."""
        row = dataclasses.asdict(self)
        return row if self.f0 else {key: row[key] for key in row if key != "f0"}


def gender_of(text: str) -> str:
    """One of GENDERS for what a person wrote, as in "Female"; "" for all but a few words."""
    word = text.strip().casefold()
    return next((gender for gender, words in GENDER_WORDS.items() if word in words), "")


def find_row(table: Sequence[Speaker], name: str | None) -> int:
    """The row of a speaker; None will do for a table of one. Raises InputError."""
    names = [speaker.name for speaker in table]
    if name is None and len(names) == 1:
        return 0
    if name in names:
        return names.index(name)
    if name is None:
        raise InputError(
            f"the model has {len(names)} speakers: name one, as in --speaker {names[0]} "
            "(`vqspeech speakers` lists them)"
        )
    raise InputError(
        f"no speaker '{name}' in this model; the nearest names are "
        f"{', '.join(near_misses(names, name))} (`vqspeech speakers` lists all)"
    )


def near_misses(names: Sequence[str], name: str, count: int = 3) -> list[str]:
    """Up to `count` of `names` that somebody who wrote `name` may have meant, likeliest first.

    Names that are equal but for case, then by resemblance, then those that contain it.
    """
    folded = name.casefold().strip()
    same = [known for known in names if known.casefold() == folded]
    by_fold = {known.casefold(): known for known in reversed(names)}
    alike = difflib.get_close_matches(folded, by_fold, count, 0.4)
    inside = [known for known in names if folded and folded in known.casefold()]
    found = dict.fromkeys([*same, *(by_fold[key] for key in alike), *inside])
    return list(found)[:count] or list(names[:count])


def select(
    table: Sequence[Speaker],
    gender: str | None = None,
    min_minutes: float = 0.0,
    order: str = "row",
) -> list[Speaker]:
    """The speakers of a `gender` with at least so many minutes; by "row", "name" or "minutes".

    Most minutes come first. Raises InputError where none is left.
    """
    found = [
        speaker
        for speaker in table
        if speaker.minutes >= min_minutes and gender in (None, speaker.gender)
    ]
    if not found:
        most = max(speaker.minutes for speaker in table)
        raise InputError(
            f"no speaker of this model is so; ask for less (genders: "
            f"{', '.join(sorted({s.gender or 'not known' for s in table}))}; "
            f"at most {most:.1f} minutes)"
        )
    if order == "name":
        found.sort(key=lambda speaker: speaker.name)
    if order == "minutes":
        found.sort(key=lambda speaker: -speaker.minutes)
    return found
