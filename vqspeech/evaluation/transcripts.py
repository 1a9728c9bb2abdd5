"""What was said: the `transcript` column of a manifest. Most corpora have none."""

import csv
import os
from pathlib import Path

from vqspeech.errors import InputError


def read_transcripts(manifest: str | os.PathLike) -> dict[Path, str]:
    """Transcripts by path of the audio file, as `data.corpus.find_utterances` names it.

    Rows without one are left out; so is everything if the manifest has no such column. Raises
    InputError if the manifest cannot be read.
    """
    manifest = Path(manifest)
    try:
        with open(manifest, encoding="utf-8-sig", newline="") as file:
            tabs = "\t" in file.readline()
            file.seek(0)
            kind = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
            rows = list(csv.DictReader(file, restval="", **kind))
    except OSError as error:
        raise InputError(f"{manifest}: cannot be read ({error.strerror}); check the path") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest}: is not a UTF-8 TSV or CSV file ({error}); fix it") from None
    return {
        manifest.parent / row["file"]: row["transcript"].strip()
        for row in rows
        if row.get("file") and (row.get("transcript") or "").strip()
    }
