"""The result of an evaluation, and its three files: Markdown, JSON and a page to see and hear."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vqspeech.evaluation.methods import PREVIEW, WAVENET
from vqspeech.evaluation.report import tables
from vqspeech.evaluation.report.summary import Average, Spread, averages, differences, spreads
from vqspeech.evaluation.report.writing import make_folder, write_whole

MARKDOWN_FILE, JSON_FILE, PAGE_FILE = "report.md", "report.json", "report.html"


class Sample(NamedTuple):
    """A recording and all its decodings, to be listened to. waves: float32 [T] at 16 kHz, by
    method, aligned with the recording and at its level. target: whom it was converted to."""

    utterance: str
    speaker: str
    target: str | None
    transcript: str | None
    waves: dict[str, np.ndarray]


@dataclass(frozen=True)
class Report:
    """about: what was measured, with what, where. codes: `CodebookUsage.summary`. nats: means a
    WaveNet step with `right` and `shuffled` codes, or nothing. rows: one dict an utterance, with
    `scores` by method, and `by_seed` where there are several. skipped: (file, reason). rates:
    `RateMeter.summary`. notes: what was left out, in words."""

    about: dict[str, Any]
    codes: dict[str, float]
    nats: dict[str, float]
    methods: tuple[str, ...]
    rows: list[dict[str, Any]]
    skipped: list[tuple[str, str]]
    rates: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    samples: Sequence[Sample] = ()

    def averages(self) -> dict[str, dict[str, Average]]:
        """By method, then metric. Where there are several seeds, of the means over them."""
        return {
            method: averages([row["scores"].get(method, {}) for row in self.rows])
            for method in self.methods
        }

    def spreads(self) -> dict[str, dict[str, Spread]]:
        """By method that was sampled with several seeds, then metric; nothing for one seed."""
        found = {}
        for method in self.methods:
            drawn = [
                row["by_seed"][method] for row in self.rows if method in row.get("by_seed", {})
            ]
            if drawn:
                found[method] = spreads(drawn)
        return found

    def gains(self) -> dict[str, Average]:
        """By metric, how much higher the WaveNet's is than the preview's, from the same codes;
        nothing without both."""
        if not {PREVIEW, WAVENET} <= set(self.methods):
            return {}
        of = {
            method: [row["scores"].get(method, {}) for row in self.rows]
            for method in (PREVIEW, WAVENET)
        }
        return differences(of[WAVENET], of[PREVIEW])

    def to_dict(self) -> dict[str, Any]:
        """Everything but the samples, ready for JSON: NaN becomes null."""
        per_sample = {
            name: value / self.about["samples_per_step"] for name, value in self.nats.items()
        }
        content = {
            "about": self.about,
            "codes": self.codes,
            "bits_per_second": self.rates,
            "nats_per_step": self.nats,
            "nats_per_sample": per_sample,
            "averages": _plain(self.averages()),
            "wavenet_less_preview": {m: one._asdict() for m, one in self.gains().items()},
            "spread_over_seeds": _plain(self.spreads()),
            "utterances": self.rows,
            "skipped": [{"file": file, "reason": reason} for file, reason in self.skipped],
            "notes": self.notes,
        }
        return _without_nan(content)

    def to_markdown(self) -> str:
        """Tables, a row a metric and a column a method, between what and how was measured."""
        lines = ["# Evaluation", "", *(f"- {fact}" for fact in tables.facts(self))]
        for table in tables.tables(self):
            lines += ["", f"## {table.title}", "", _markdown(table.headings)]
            lines += ["|---|" + "---:|" * (len(table.headings) - 1), *map(_markdown, table.rows)]
        for note in tables.notes(self):
            lines += ["", note]
        return "\n".join(lines) + "\n"

    def save(self, folder: str | os.PathLike) -> list[Path]:
        """Write report.md, report.json and report.html, each whole or not at all.

        Raises InputError if one cannot be written.
        """
        from vqspeech.evaluation.report.page import page

        folder = make_folder(folder)
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        files = {MARKDOWN_FILE: self.to_markdown(), JSON_FILE: text, PAGE_FILE: page(self)}
        for name, content in files.items():
            write_whole(folder / name, content)
        return [folder / name for name in files]


def _markdown(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |" if cells[0] else "| | " + " | ".join(cells[1:]) + " |"


def _plain(found: dict[str, dict[str, Average | Spread]]) -> dict[str, dict[str, dict]]:
    return {m: {name: one._asdict() for name, one in of.items()} for m, of in found.items()}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
