"""Channels of a recording to one: their average, and whether they cancel each other out in it."""

import numpy as np

from vqspeech.errors import warn_of

LEAST_LEFT = 0.01
"""Of the channels' power, in their average: -20 dB. Channels that have nothing in common leave
1 / channels of it."""


class Average:
    """Averages a recording's channels, block by block, and compares the power on both sides."""

    def __init__(self):
        self._before = self._after = 0.0

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """float32 [n, channels] to [n]; NaN and infinity stay."""
        if block.shape[1] == 1:
            return block[:, 0]
        with np.errstate(over="ignore", invalid="ignore"):
            mono = block.mean(axis=1, dtype=np.float32)
            self._before += float(np.square(block, dtype=np.float64).mean(axis=1).sum())
            self._after += float(np.square(mono, dtype=np.float64).sum())
        return mono

    def tell(self, name: str) -> None:
        """Warn, at the end of the recording, if hardly anything of it is left."""
        if self._after < LEAST_LEFT * self._before:
            warn_of(
                f"{name}: its channels cancel each other out, so little is left of their average, "
                "which is encoded; give one channel, or turn the sign of one"
            )
