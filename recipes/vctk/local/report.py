"""What was packed and what was dropped:  report.py MANIFESTS PACKED OUT.md

Hours of each speaker as read and as packed (silence trimmed), every file left out with its reason.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.pack import SKIPPED
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.files import write_text


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write_report(manifests: Path, packed: Path, out: Path) -> str:
    """Write the report; the line to print. Raises InputError, OSError."""
    corpus = PackedCorpus(packed)
    seconds, utterances = Counter(), Counter()
    for split in ("train", "valid"):
        for name, _, audio in corpus.utterances(split):
            speaker = name.split("/")[0]
            seconds[speaker] += len(audio) / SAMPLE_RATE
            utterances[speaker] += 1
    read = Counter()
    for row in rows(manifests / "manifest.tsv"):
        if row["split"] == "train":
            read[row["speaker"]] += float(row["seconds"])
    known = set(corpus.speakers)
    hours = sum(seconds.values()) / 3600
    lines = [
        f"# {hours:.2f} hours packed, {sum(read.values()) / 3600:.2f} read",
        "",
        "| speaker | utterances | hours read | hours packed | identity |",
        "|---|---:|---:|---:|---|",
    ]
    for speaker in sorted(read):
        identity = speaker if speaker in known else "`other`" if seconds[speaker] else "none"
        lines.append(
            f"| {speaker} | {utterances[speaker]} | {read[speaker] / 3600:.3f} | "
            f"{seconds[speaker] / 3600:.3f} | {identity} |"
        )
    dropped = [(row["what"], row["reason"]) for row in rows(manifests / "dropped.tsv")]
    dropped += [(row["path"], row["reason"]) for row in rows(packed / SKIPPED)]
    lines += ["", f"## Left out: {len(dropped)}", "", *(f"- {a}: {b}" for a, b in dropped)]
    write_text(out, "\n".join(lines) + "\n")
    return f"{hours:.2f} hours of {len(read)} speakers, {len(dropped)} files left out: see {out}"


if __name__ == "__main__":
    try:
        print(write_report(*map(Path, sys.argv[1:])))
    except (InputError, OSError) as error:
        print(f"report.py: error: {error}", file=sys.stderr)
        sys.exit(2)
