"""The files of stage 0: tab-separated tables."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from layouts import Recording, Speaker
from split import SPLITS


class Row(NamedTuple):
    """A line of the manifest; seconds of the file as it is, silence included."""

    recording: Recording
    split: str
    seconds: float


def write_tsv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Tabs and line ends inside a field become blanks."""
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        for row in (header, *rows):
            file.write("\t".join(" ".join(str(field).split()) for field in row) + "\n")


def speaker_table(speakers: dict[str, Speaker], rows: list[Row]) -> tuple[Sequence[str], list]:
    """Header and a line a speaker: who it is, utterances in each split, minutes."""
    utterances = Counter((row.recording.speaker, row.split) for row in rows)
    minutes: Counter[str] = Counter()
    for row in rows:
        minutes[row.recording.speaker] += row.seconds / 60
    header = ("speaker", "gender", "age", "accent", "region", *SPLITS, "minutes", "comment")
    lines = []
    for name in sorted(minutes):
        one = speakers[name]
        counts = [utterances[name, split] for split in SPLITS]
        about = (name, one.gender, one.age, one.accent, one.region)
        lines.append((*about, *counts, f"{minutes[name]:.2f}", one.comment))
    return header, lines
