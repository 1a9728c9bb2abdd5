"""How a codebook is used over a set of recordings, and what that costs in bits."""

import numpy as np

from vqspeech.dsp import SAMPLE_RATE


class CodebookUsage:
    """Counts codes recording by recording."""

    def __init__(self, size: int):
        self._counts = np.zeros(size, np.int64)
        self._samples = self._bits = 0.0

    def add(self, indices: np.ndarray, samples: int, bits_per_second: float) -> None:
        """One recording of `samples` samples at 16 kHz: its indices [F]."""
        self._counts += np.bincount(indices, minlength=len(self._counts))
        self._samples += samples
        self._bits += bits_per_second * samples / SAMPLE_RATE

    def summary(self) -> dict[str, float]:
        """Over all codes together: `codes` (counted), `used` and `dead` entries, `perplexity`
        (exp of the entropy of the histogram), `bits_per_second` of plain indices, and
        `entropy_bits_per_second`, the least that a memoryless code for these files could take."""
        total = int(self._counts.sum())
        share = self._counts[self._counts > 0] / max(1, total)
        entropy = -float((share * np.log(share)).sum())
        seconds = max(self._samples, 1) / SAMPLE_RATE
        return {
            "codes": total,
            "codebook_size": len(self._counts),
            "used": len(share),
            "dead": len(self._counts) - len(share),
            "perplexity": float(np.exp(entropy)),
            "bits_per_second": self._bits / seconds,
            "entropy_bits_per_second": total * entropy / np.log(2) / seconds,
        }
