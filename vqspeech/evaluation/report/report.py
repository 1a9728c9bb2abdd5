"""The result of an evaluation as data; what it looks like is for the modules beside this one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from vqspeech.evaluation.methods import PREVIEW, UNFILTERED, WAVENET
from vqspeech.evaluation.report.summary import Average, Spread, averages, differences, spreads

OWN_VOICE = "own voice"
"""What stands in a report for an identity where a recording was decoded in its own voice."""


class Sample(NamedTuple):
    """A recording and all its decodings, to be listened to. waves: float32 [T] at 16 kHz, by
    method, aligned with the recording and at its level. targets: by method, whom it was converted
    to."""

    utterance: str
    speaker: str
    targets: dict[str, str]
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
        return {method: averages(self._scores(method)) for method in self.methods}

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

    def gains(self) -> dict[str, dict[str, Average]]:
        """By method of the WaveNet, then metric, how much higher it is than Griffin-Lim's from the
        same codes; nothing without both."""
        if PREVIEW not in self.methods:
            return {}
        preview = self._scores(PREVIEW)
        return {
            method: differences(self._scores(method), preview)
            for method in (WAVENET, UNFILTERED)
            if method in self.methods
        }

    def _scores(self, method: str) -> list[dict[str, float]]:
        return [row["scores"].get(method, {}) for row in self.rows]
