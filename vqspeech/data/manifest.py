"""Manifests: TSV or CSV files with a header, a line a recording."""

import codecs
import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

from vqspeech.errors import InputError
from vqspeech.files import opened

FILE = "file"
"""The column of the recordings' paths."""


class Row(dict[str, str]):
    """The cells of a row by their columns. `line`: where it stands in the file, from 1."""

    line: int


def read_rows(manifest: Path) -> tuple[list[Row], list[str]]:
    """Rows and column names. Tabs separate if the first line has one, else commas with quotes.

    Spaces around a name or a value say nothing, but for those of `file`; rows of empty cells, which
    spreadsheets export, are left out. Raises InputError if it cannot be read.
    """
    try:
        with opened(manifest, "a manifest") as file:
            _check_utf8(manifest, file)
            text = io.TextIOWrapper(file, "utf-8-sig", newline="")
            tabs = _has_tabs(manifest, text.readline())
            text.seek(0)
            # TSV is read without quotes: a transcript may hold a lone one. CSV is taken strictly:
            # there a lone one would make one field of all the lines behind it.
            kind: dict[str, Any] = {"strict": True}
            if tabs:
                kind = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
            bare = _unquoted if tabs else str
            reader = csv.DictReader(text, restval="", **kind)
            reader.fieldnames = names = [bare(name).strip() for name in reader.fieldnames or ()]
            _check_once(manifest, names)
            rows = []
            for cells in reader:
                if any(cells.pop(None, ())):
                    how = "take tabs out of them" if tabs else "put quotes around those with commas"
                    raise InputError(
                        f"{manifest}: line {reader.line_num} has more fields than the first line "
                        f"has names; {how}"
                    )
                if any(value.strip() for value in cells.values()):
                    row = Row((name, _value(name, bare(cell))) for name, cell in cells.items())
                    row.line = reader.line_num
                    rows.append(row)
            return rows, names
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest}: is not a UTF-8 TSV or CSV file ({error}); fix it") from None


def _check_utf8(manifest: Path, file: BinaryIO) -> None:
    """Refuse what spreadsheets call Unicode text. Raises InputError."""
    start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start:
        raise InputError(f"{manifest}: is in UTF-16, not in UTF-8; save it as UTF-8")
    file.seek(0)


def _has_tabs(manifest: Path, first: str) -> bool:
    """Whether tabs separate, as the first line says. Raises InputError for what is no header."""
    if first.lstrip('"').lower().startswith("sep="):
        raise InputError(
            f"{manifest}: begins with a line {first.strip()}, which only spreadsheets know; remove "
            "that line"
        )
    if "\t" in first:
        return True
    if ";" in first and "," not in first:
        raise InputError(
            f"{manifest}: has semicolons between its columns; save it with commas or tabs"
        )
    return False


def _check_once(manifest: Path, names: list[str]) -> None:
    """Raise InputError for a column that is named twice; nobody reads those without a name."""
    for name, times in Counter(names).items():
        if name and times > 1:
            raise InputError(f"{manifest}: has two columns {name}; remove or rename one")


def _unquoted(cell: str) -> str:
    """A cell of a TSV file without the quotes that spreadsheets put around those with commas or
    quotes, which they double. Any others are text."""
    inner = cell[1:-1]
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if quoted else cell


def _value(column: str, text: str) -> str:
    """What a cell says: a speaker is the same with a space behind the name, a file need not be."""
    return text if column == FILE else text.strip()
