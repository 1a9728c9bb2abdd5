"""Stage 0: a VCTK corpus to manifests.

    python recipes/vctk/local/prepare.py CORPUS OUT [--mic mic1] [--subset SPEAKERS[,MINUTES]]

OUT/manifest.tsv is what `vqspeech prepare`, `evaluate` and `encode` read; OUT/speakers.tsv counts,
OUT/dropped.tsv says what was left out and why. Does nothing where OUT was made from the same files
with the same options.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from layouts import MICS, Recording, Vctk, find_layout, read_vctk
from manifests import Row, speaker_table, write_tsv
from split import CONF, SPLITS, assign, load_rules

from vqspeech.audio.reading import duration
from vqspeech.errors import InputError
from vqspeech.files import replace_folder

VERSION = 1
SUMMARY = "summary.json"
HELD_OUT_PART = 4
"""A subset keeps one held-out speaker for so many speakers of training, at least one."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="folder of VCTK 0.80 or 0.92")
    parser.add_argument("out", type=Path, help="folder for the manifests")
    parser.add_argument("--mic", choices=MICS, default="mic1", help="of 0.92 (default: mic1)")
    parser.add_argument(
        "--subset", type=subset, metavar="N[,M]", help="N speakers, M minutes of each"
    )
    parser.add_argument(
        "--partial", action="store_true", help="use half an archive rather than refuse it"
    )
    args = parser.parse_args()
    try:
        print(prepare(args.corpus, args.out, args.mic, args.subset, args.partial))
    except InputError as error:
        print(f"prepare.py: error: {error}", file=sys.stderr)
        return 2
    return 0


def subset(text: str) -> tuple[int, float]:
    """`8` or `8,5`: speakers, minutes of each."""
    speakers, _, minutes = text.partition(",")
    try:
        chosen = int(speakers), float(minutes or "inf")
    except ValueError:
        chosen = 0, 0.0
    if chosen[0] < 1 or not chosen[1] > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not SPEAKERS or SPEAKERS,MINUTES, as in 8,5")
    return chosen


def prepare(
    corpus: Path,
    out: Path,
    mic: str = "mic1",
    wanted: tuple[int, float] | None = None,
    partial: bool = False,
) -> str:
    """Write the manifests into `out`, whole or not at all; a line about them. Raises InputError."""
    layout = find_layout(corpus)
    _check_replaceable(out)
    source = source_hash(layout.root, [VERSION, CONF.read_text(), mic, wanted, partial])
    old = _summary(out)
    if old.get("source") == source:
        return f"nothing to do: {out} already holds {old['line']}"
    found = read_vctk(corpus, mic, partial)
    splits = assign(found.recordings, load_rules())
    rows = _rows(found, splits, wanted)
    missing = {"train", "eval-seen"} - {row.split for row in rows}
    if "train" in missing:
        raise InputError(f"{corpus}: has no speaker for training; unpack the archive again")
    counts = ", ".join(f"{sum(row.split == s for row in rows)} {s}" for s in SPLITS)
    hours = sum(row.seconds for row in rows) / 3600
    line = (
        f"VCTK {layout.release}: {hours:.2f} h, {len(found.speakers)} speakers in the corpus, "
        f"{len({row.recording.speaker for row in rows})} taken, {counts}; "
        f"{len(found.dropped)} left out (dropped.tsv)"
    )
    try:
        _write(out, found, rows, {"source": source, "line": line, "notes": found.notes})
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another") from None
    return "\n".join([f"wrote {out}: {line}", *(f"note: {note}" for note in found.notes)])


def _check_replaceable(out: Path) -> None:
    """What is written replaces the folder: it must be one that was made here, or hold nothing.
    Raises InputError."""
    if out.exists() and not _summary(out) and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: holds something else, which would be lost; name another folder")


def source_hash(root: Path, options: list) -> str:
    """Names, sizes and times of all files of the corpus, and everything else that decides."""
    digest = hashlib.blake2b(repr([os.path.abspath(root), *options]).encode(), digest_size=16)
    for here, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            status = os.stat(os.path.join(here, name), follow_symlinks=False)
            row = (here, name, status.st_size, status.st_mtime_ns)
            digest.update(repr(row).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _summary(out: Path) -> dict:
    try:
        found = json.loads((out / SUMMARY).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and "source" in found else {}


def _rows(found: Vctk, splits: Sequence[str], wanted: tuple[int, float] | None) -> list[Row]:
    """The readable recordings of the wanted speakers; the others go to `found.dropped`."""
    chosen = _chosen_speakers(found.recordings, splits, wanted)
    limit = wanted[1] * 60 if wanted else float("inf")
    seconds, rows = defaultdict(float), []
    for recording, split in zip(found.recordings, splits, strict=True):
        if recording.speaker not in chosen:
            continue
        if split == "train" and seconds[recording.speaker] >= limit:
            continue
        try:
            length = duration(recording.path)
        except InputError as error:
            found.dropped.append((str(recording.path), str(error)))
            continue
        seconds[recording.speaker] += length if split == "train" else 0.0
        rows.append(Row(recording, split, length))
    return rows


def _chosen_speakers(
    recordings: Sequence[Recording], splits: Sequence[str], wanted: tuple[int, float] | None
) -> set[str]:
    """All speakers, or `wanted` ones spread over the sorted list, and held-out ones with them."""
    seen: dict[str, None] = {}
    held_out: dict[str, None] = {}
    for recording, split in zip(recordings, splits, strict=True):
        group = seen if split in ("train", "eval-seen") else held_out
        group[recording.speaker] = None
    if wanted is None:
        return {*seen, *held_out}
    number = wanted[0]
    return {
        *_spread(sorted(seen), number),
        *_spread(sorted(held_out), max(1, number // HELD_OUT_PART)),
    }


def _spread(names: list[str], number: int) -> list[str]:
    number = min(number, len(names))
    return [names[i * len(names) // number] for i in range(number)]


def _write(out: Path, found: Vctk, rows: list[Row], summary: dict) -> None:
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed run left
    partial.mkdir(parents=True)
    try:
        header = ("split", "speaker", "utterance", "file", "seconds", "gender", "transcript")
        speakers = found.speakers
        write_tsv(
            partial / "manifest.tsv",
            header,
            (
                (
                    row.split,
                    row.recording.speaker,
                    row.recording.name,
                    os.path.abspath(row.recording.path),
                    f"{row.seconds:.3f}",
                    speakers[row.recording.speaker].gender,
                    row.recording.text or "",
                )
                for row in rows
            ),
        )
        write_tsv(partial / "speakers.tsv", *speaker_table(speakers, rows))
        write_tsv(partial / "dropped.tsv", ("what", "reason"), found.dropped)
        (partial / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n")
        replace_folder(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
