"""What was said: the `transcript` column of a manifest. Most corpora have none."""

import os
from pathlib import Path

from vqspeech.data.manifest import read_rows
from vqspeech.errors import InputError


def read_transcripts(manifest: str | os.PathLike) -> dict[Path, str]:
    """Transcripts by path of the audio file, as `data.corpus.find_utterances` names it.

    Rows without one are left out; so is everything if the manifest has no such column. Raises
    InputError if the manifest cannot be read, or has two transcripts of a file.
    """
    manifest, found = Path(manifest), dict[Path, str]()
    for row in read_rows(manifest)[0]:
        text = (row.get("transcript") or "").strip()
        if not row.get("file") or not text:
            continue
        path = manifest.parent / row["file"]
        if found.setdefault(path, text) != text:
            raise InputError(
                f"{manifest}: has two transcripts of {row['file']}; a recording is taken whole, so "
                "give what is said in all of it"
            )
    return found
