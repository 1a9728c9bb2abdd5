"""How the codebooks are used over a set of recordings, and what that costs in bits."""

from collections.abc import Mapping

import numpy as np

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.config.networks import QuantizerConfig


class CodebookUsage:
    """Counts codes recording by recording."""

    def __init__(self, quantizer: QuantizerConfig):
        self._quantizer = quantizer
        self._counts = np.zeros(quantizer.entries, np.int64)
        self._samples = self._bits = 0.0

    def add(self, indices: np.ndarray, samples: int, bits_per_second: float) -> None:
        """One recording of `samples` samples at 16 kHz: its indices [F] of the first level."""
        rows = self._quantizer.rows(indices, np.arange(len(indices)))
        self._counts += np.bincount(rows, minlength=len(self._counts))
        self._samples += samples
        self._bits += bits_per_second * samples / SAMPLE_RATE

    def summary(self) -> dict[str, float]:
        """Over all codes together: `codes` (counted), `entries` of all codebooks, of which `used`
        and `dead` ones, `perplexity` (exp of the entropy of a codebook's histogram, of several the
        mean entropy), `bits_per_second` of plain indices, and `entropy_bits_per_second`, the least
        that a memoryless code for these files could take."""
        total = int(self._counts.sum())
        used, entropy = int((self._counts > 0).sum()), 0.0
        for counts in self._counts.reshape(self._quantizer.codebooks, -1):
            own = counts[counts > 0] / max(1, counts.sum())
            entropy -= float((own * np.log(own)).sum()) * counts.sum() / max(1, total)
        seconds = max(self._samples, 1) / SAMPLE_RATE
        return {
            "codes": total,
            "codebook_size": self._quantizer.codebook_size,
            "codebooks": self._quantizer.codebooks,
            "entries": len(self._counts),
            "used": used,
            "dead": len(self._counts) - used,
            "perplexity": float(np.exp(entropy)),
            "bits_per_second": self._bits / seconds,
            "entropy_bits_per_second": total * entropy / np.log(2) / seconds,
        }


def in_words(summary: Mapping[str, float]) -> str:
    """One line of what `CodebookUsage.summary` found."""
    several = summary["codebooks"] > 1
    books = f"{summary['codebooks']} codebooks" if several else "codebook"
    each = " each" if several else ""
    return (
        f"{books} of {summary['codebook_size']}{each}: {summary['used']} of {summary['entries']} "
        f"codes used, {summary['dead']} dead, perplexity {summary['perplexity']:.0f}{each}"
    )
