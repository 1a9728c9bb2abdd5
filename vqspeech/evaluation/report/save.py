"""The three files of a report: Markdown, JSON and a page to see and hear."""

import json
import os
from pathlib import Path

from vqspeech.evaluation.report.json_form import to_dict
from vqspeech.evaluation.report.markdown import markdown
from vqspeech.evaluation.report.page import page
from vqspeech.evaluation.report.report import Report
from vqspeech.files import make_folder, write_text

FILES = ("report.md", "report.json", "report.html")


def save(report: Report, folder: str | os.PathLike) -> list[Path]:
    """Write report.md, report.json and report.html, each whole or not at all.

    Raises InputError if one cannot be written.
    """
    text = json.dumps(to_dict(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return write_all(folder, dict(zip(FILES, (markdown(report), text, page(report)), strict=True)))


def write_all(folder: str | os.PathLike, files: dict[str, str]) -> list[Path]:
    """Write texts by name into `folder`, each whole or not at all. Raises InputError."""
    folder = make_folder(folder)
    for name, content in files.items():
        write_text(folder / name, content)
    return [folder / name for name in files]
