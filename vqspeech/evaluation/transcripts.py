"""What was said: the `transcript` column of a manifest. Most corpora have none."""

import os
from pathlib import Path

from vqspeech.data.corpus import manifest_rows


def read_transcripts(manifest: str | os.PathLike) -> dict[Path, str]:
    """Transcripts by path of the audio file, as `data.corpus.find_utterances` names it.

    Rows without one are left out; so is everything if the manifest has no such column. Raises
    InputError if the manifest cannot be read.
    """
    manifest = Path(manifest)
    return {
        manifest.parent / row["file"]: row["transcript"].strip()
        for row in manifest_rows(manifest)[0]
        if row.get("file") and (row.get("transcript") or "").strip()
    }
