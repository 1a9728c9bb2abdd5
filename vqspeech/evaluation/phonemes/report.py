"""The result of the phoneme experiment as Markdown and JSON."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqspeech.evaluation.phonemes.accuracy import Score
from vqspeech.evaluation.report.save import write_all
from vqspeech.evaluation.usage import in_words
from vqspeech.nn.phonemes import SILENCE

MARKDOWN_FILE, JSON_FILE = "phonemes.md", "phonemes.json"

ROWS = {
    "codes": "the codes",
    "untrained": "codes of the same encoder, untrained",
    "shuffled": "the codes in random order",
    "majority": "the most frequent phoneme",
}


@dataclass(frozen=True)
class PhonemeReport:
    """about: what was measured, with what, where. codes: `CodebookUsage.summary`. everything,
    speech: scores by latent space, with frames of silence and without. skipped: recordings that
    were left out, by reason."""

    about: dict[str, Any]
    codes: dict[str, float]
    everything: dict[str, Score]
    speech: dict[str, Score]
    skipped: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; accuracies are shares, 0 to 1."""
        return {
            "about": self.about,
            "codes": self.codes,
            "accuracy": {
                kind: {space: score._asdict() for space, score in found.items()}
                for kind, found in (("all", self.everything), ("speech", self.speech))
            },
            "skipped": self.skipped,
        }

    def to_markdown(self) -> str:
        """A table between what was measured and what it means."""
        lines = ["# Phonemes", "", *self._facts(), "", *self._table(), ""]
        lines += [
            "Frames whose phoneme, the one at their middle, is the one that their code has most "
            "often in the other half of the utterances; mean of both directions, in brackets each. "
            "Untrained: random weights, codebook drawn from their outputs.",
        ]
        for reason, number in self.skipped.items():
            lines += ["", f"Left out: {number} recordings ({reason})."]
        return "\n".join(lines) + "\n"

    def save(self, folder: str | os.PathLike) -> list[Path]:
        """Write phonemes.md and phonemes.json into `folder`, each whole or not at all.

        Raises InputError if it cannot be written.
        """
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        return write_all(folder, {MARKDOWN_FILE: self.to_markdown(), JSON_FILE: text})

    def _facts(self) -> list[str]:
        about, codes, machine = self.about, self.codes, self.about["machine"]
        spoken = [name for name in about["phonemes"] if name != SILENCE]
        silence = " and silence" if SILENCE in about["phonemes"] else ""
        return [
            f"- Model {about['model']} ({about['fingerprint']}), vqspeech {about['vqspeech']}, "
            f"seed {about['seed']}, {about['date']}",
            f"- {about['utterances']} utterances, {about['speakers']} speakers; "
            f"{about['frames']} frames at {about['codes_per_second']:g} a second, "
            f"{about['frames_of_speech']} of them of speech ({about['frames_without_phoneme']} "
            "outside of every interval not counted)",
            f"- {len(spoken)} phonemes{silence}, from {about['aligned_by']}",
            f"- {in_words(codes)}",
            f"- {machine['processor']}, {machine['cores']} cores, {machine['system']}",
        ]

    def _table(self) -> list[str]:
        lines = ["| accuracy, % | all frames | without silence |", "|---|---:|---:|"]
        for space, label in ROWS.items():
            cells = [_cell(found[space]) for found in (self.everything, self.speech)]
            lines.append(f"| {label} | {cells[0]} | {cells[1]} |")
        return lines


def _cell(score: Score) -> str:
    return f"{100 * score.mean:.1f} ({100 * score.forth:.1f}, {100 * score.back:.1f})"
