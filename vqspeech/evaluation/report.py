"""The result of an evaluation as Markdown and JSON."""

import json
import math
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqspeech.errors import InputError
from vqspeech.evaluation.metrics import METRICS
from vqspeech.evaluation.summary import Average, averages

HEADINGS = {
    "original": "original",
    "preview": "preview (Griffin-Lim)",
    "wavenet": "WaveNet, free-running",
}
MARKDOWN_FILE, JSON_FILE = "report.md", "report.json"


@dataclass(frozen=True)
class Report:
    """about: what was measured, with what, where. codes: `CodebookUsage.summary`. nats: means a
    WaveNet step with `right` and `shuffled` codes, or nothing. rows: one dict an utterance, with
    `scores` by method. skipped: (file, reason)."""

    about: dict[str, Any]
    codes: dict[str, float]
    nats: dict[str, float]
    methods: tuple[str, ...]
    rows: list[dict[str, Any]]
    skipped: list[tuple[str, str]]

    def averages(self) -> dict[str, dict[str, Average]]:
        """By method, then metric."""
        return {
            method: averages([row["scores"][method] for row in self.rows])
            for method in self.methods
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON: NaN becomes null."""
        content = {
            "about": self.about,
            "codes": self.codes,
            "nats_per_step": self.nats,
            "averages": {
                method: {name: one._asdict() for name, one in found.items()}
                for method, found in self.averages().items()
            },
            "utterances": self.rows,
            "skipped": [{"file": file, "reason": reason} for file, reason in self.skipped],
        }
        return _without_nan(content)

    def to_markdown(self) -> str:
        """A table, a row a metric and a column a method, between what and how was measured."""
        lines = ["# Evaluation", "", *self._facts(), "", *self._table(), "", *self._notes()]
        return "\n".join(lines) + "\n"

    def save(self, folder: str | os.PathLike) -> list[Path]:
        """Write report.md and report.json into `folder`, each whole or not at all.

        Raises InputError if it cannot be written.
        """
        folder = make_folder(folder)
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        files = {folder / MARKDOWN_FILE: self.to_markdown(), folder / JSON_FILE: text}
        for path, content in files.items():
            _write(path, content)
        return list(files)

    def _facts(self) -> list[str]:
        about, codes = self.about, self.codes
        machine = about["machine"]
        lines = [
            f"- Model {about['model']} ({about['fingerprint']}), vqspeech {about['vqspeech']}, "
            f"seed {about['seed']}, {about['date']}",
            f"- {about['utterances']} utterances, {about['seconds_of_speech']:.0f} s of speech, "
            f"{about['speakers']} speakers",
            f"- {codes['bits_per_second']:.0f} bit/s of plain codes "
            f"({codes['entropy_bits_per_second']:.0f} by their histogram); codebook: "
            f"{codes['used']} of {codes['codebook_size']} codes used, {codes['dead']} dead, "
            f"perplexity {codes['perplexity']:.0f}",
        ]
        if self.nats:
            lines.append(
                f"- {self.nats['right']:.3f} nats a WaveNet step with the right codes, "
                f"{self.nats['shuffled']:.3f} with shuffled codes "
                f"({self.nats['difference']:+.3f})"
            )
        lines.append(f"- {machine['processor']}, {machine['cores']} cores, {machine['system']}")
        return lines

    def _table(self) -> list[str]:
        found = self.averages()
        headings = [HEADINGS.get(method, method) for method in self.methods]
        lines = ["| | " + " | ".join(headings) + " |", "|---|" + "---:|" * len(headings)]
        for metric in METRICS:
            cells = [found[method].get(metric.name) for method in self.methods]
            if not any(cell and cell.count for cell in cells):
                continue
            arrow = "↑" if metric.higher_is_better else "↓"
            shown = [self._cell(cell, metric.digits) for cell in cells]
            lines.append(f"| {metric.label} {arrow} | " + " | ".join(shown) + " |")
        return lines

    def _cell(self, cell: Average | None, digits: int) -> str:
        if cell is None or not cell.count:
            return "-"
        text = f"{cell.mean:.{digits}f}"
        if math.isfinite(cell.margin):
            text += f" ± {cell.margin:.{digits}f}"
        return text if cell.count == len(self.rows) else f"{text} ({cell.count})"

    def _notes(self) -> list[str]:
        about = self.about
        notes = [
            "Means over utterances (words: over all words) ± half of the 95 % confidence interval; "
            "in brackets the number of utterances where the figure is defined, if not all."
        ]
        if about["unknown_speaker_utterances"]:
            notes.append(
                f"{about['unknown_speaker_utterances']} utterances of speakers that the model does "
                f"not know were decoded as `{about['unknown_speakers_decoded_as']}`."
            )
        if about["cut_to_first_minute"]:
            notes.append(f"{about['cut_to_first_minute']} recordings: first minute only.")
        notes += [f"Skipped: {reason}" for _, reason in self.skipped]
        return [line for note in notes for line in (note, "")][:-1]


def make_folder(path: str | os.PathLike) -> Path:
    """The folder `path`, made if needed and found writable. Raises InputError."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be made ({error.strerror}); name another folder"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written to; name another folder")
    return folder


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".vqspeech-{secrets.token_hex(6)}.tmp")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); check it") from None
    finally:
        partial.unlink(missing_ok=True)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
