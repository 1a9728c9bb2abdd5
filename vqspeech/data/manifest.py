"""Manifests: TSV or CSV files with a header, a line a recording."""

import csv
import io
from pathlib import Path
from typing import Any

from vqspeech.errors import InputError
from vqspeech.files import opened


def read_rows(manifest: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Rows and column names. Tabs separate if the first line has one, else commas with quotes.

    Raises InputError if it cannot be read.
    """
    try:
        with opened(manifest, "a manifest") as file:
            text = io.TextIOWrapper(file, "utf-8-sig", newline="")
            tabs = "\t" in text.readline()
            text.seek(0)
            # TSV knows no quotes: a transcript may hold a lone one. CSV is taken strictly: there a
            # lone one would make one field of all the lines behind it.
            kind: dict[str, Any] = {"strict": True}
            if tabs:
                kind = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
            reader = csv.DictReader(text, restval="", **kind)
            rows = []
            for row in reader:
                if any(row.pop(None, ())):
                    how = "take tabs out of them" if tabs else "put quotes around those with commas"
                    raise InputError(
                        f"{manifest}: line {reader.line_num} has more fields than the first line "
                        f"has names; {how}"
                    )
                rows.append(row)
            return rows, list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest}: is not a UTF-8 TSV or CSV file ({error}); fix it") from None
