"""The files of stage 0: tab-separated tables, and the same utterances as Lhotse manifests."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from split import SPLITS

from vqspeech.audio.reading import probe
from vqspeech.data.vctk import Recording, Speaker


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


def write_lhotse(folder: Path, speakers: dict[str, Speaker], rows: list[Row]) -> bool:
    """recordings.jsonl and supervisions.jsonl in `folder`; False without the package.

    An utterance without text has a supervision without text, so that nothing is lost.
    """
    try:
        from lhotse import Recording as LhotseRecording
        from lhotse import RecordingSet, SupervisionSegment, SupervisionSet
        from lhotse import validate_recordings_and_supervisions as validate
        from lhotse.audio import AudioSource
    except ImportError:
        return False
    recordings, supervisions = [], []
    for row in rows:
        name, one = row.recording.path.stem, speakers[row.recording.speaker]
        about = probe(row.recording.path)
        frames = about.frames or round(row.seconds * about.rate)
        source = AudioSource("file", [0], os.path.abspath(row.recording.path))
        seconds = frames / about.rate
        recordings.append(LhotseRecording(name, [source], about.rate, frames, seconds))
        supervisions.append(
            SupervisionSegment(
                id=name,
                recording_id=name,
                start=0.0,
                duration=seconds,
                text=row.recording.text,
                language="English",
                speaker=one.name,
                gender={"f": "female", "m": "male"}.get(one.gender),
                custom={"split": row.split, "accent": one.accent, "region": one.region},
            )
        )
    found = RecordingSet.from_recordings(recordings), SupervisionSet.from_segments(supervisions)
    validate(*found)
    found[0].to_file(folder / "recordings.jsonl")
    found[1].to_file(folder / "supervisions.jsonl")
    return True
