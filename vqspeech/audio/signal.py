"""Signal arithmetic that every room shares: lengths, mu-law, high-pass. No torch here.

Every conversion between samples and frames goes through here, so that encoder, decoder, bitstream
and file reader can never disagree by one.
"""

import numpy as np

SAMPLE_RATE = 16_000
"""The rate of every model, in Hz. Files of other rates are resampled on the way in."""

FILTER_BANK_HOP = 160
"""Samples between two frames (10 ms) of filter banks, of log-mels and of F0."""

MU = 255
"""Compression constant of the 8-bit mu-law (ITU-T G.711 uses the same value)."""

MU_LEVELS = MU + 1
MU_ZERO = 128
"""The index that stands for exactly 0.0."""


def frames_for(samples: int, hop: int) -> int:
    """Number of code frames that cover `samples` samples: ceil(samples / hop)."""
    return -(-samples // hop)


def samples_for(frames: int, hop: int) -> int:
    """Number of samples that `frames` whole code frames stand for."""
    return frames * hop


def resampled_length(samples: int, rate: int) -> int:
    """Length at 16 kHz of a file of `samples` samples at `rate` Hz: ceil, so 1 sample stays 1."""
    return -(-samples * SAMPLE_RATE // rate)


def mu_law_table() -> np.ndarray:
    """The 256 sample values (float32) that the mu-law indices decode to.

    128 means 0.0; the 128 indices below it cover the negative half and the 127 above it the
    positive half, so that 0 and both ends of the range are exact.
    """
    offset = np.arange(MU_LEVELS) - MU_ZERO
    compressed = np.where(offset < 0, offset / MU_ZERO, offset / (MU_LEVELS - 1 - MU_ZERO))
    magnitude = np.expm1(np.abs(compressed) * np.log1p(MU)) / MU
    return (np.sign(compressed) * magnitude).astype(np.float32)


class HighPass:
    """Takes away offset and rumble, block by block, with the state carried between blocks."""

    CUTOFF_HZ = 40.0
    """Below any voice. VCTK's mic1 has much noise there."""

    def __init__(self):
        from scipy.signal import butter

        sections = butter(2, self.CUTOFF_HZ, "highpass", fs=SAMPLE_RATE, output="sos")
        self._sections = np.asarray(sections)
        self._state = np.zeros((len(self._sections), 2))

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """The next samples, float32 [N] at 16 kHz, filtered."""
        from scipy.signal import sosfilt

        filtered, self._state = sosfilt(self._sections, block, zi=self._state)
        return filtered.astype(np.float32)
