"""The high-pass that every recording goes through before it is encoded or trained on."""

from math import pi, sqrt, tan

import numpy as np
import torch
from torchaudio.functional import lfilter

from vqspeech.audio.signal import SAMPLE_RATE

CUTOFF_HZ = 40.0
"""Below any voice. VCTK's mic1 has much noise there."""


class HighPass:
    """Takes away offset and rumble, block by block, with the state carried between blocks.

    A Butterworth filter of second order. Its recursion is torchaudio's, and not that of
    `scipy.signal`, which takes a second to load: as long as it takes to encode minutes of speech.
    """

    def __init__(self):
        warped = tan(pi * CUTOFF_HZ / SAMPLE_RATE)  # of the bilinear transform
        scale = 1 / (1 + sqrt(2) * warped + warped**2)
        self._forward = np.array([scale, -2 * scale, scale])
        self._back = np.array(
            [1, 2 * scale * (warped**2 - 1), scale * (1 - sqrt(2) * warped + warped**2)]
        )
        self._heard = self._said = np.zeros(2)
        """The last two samples that came in, and that went out."""

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """The next samples, float32 [N] at 16 kHz, filtered: the same however they are cut."""
        if not len(block):
            return block.astype(np.float32)
        heard = np.concatenate([self._heard, block.astype(np.float64)])
        now, once, twice = self._forward
        driven = now * heard[2:] + once * heard[1:-1] + twice * heard[:-2]
        # torchaudio's recursion begins in silence: what was said is taken off here, in its order.
        _, near, far = self._back
        driven[0] = driven[0] - far * self._said[0] - near * self._said[1]
        driven[1:2] -= far * self._said[1]
        back, none = torch.from_numpy(self._back), torch.from_numpy(np.array([1.0, 0.0, 0.0]))
        said = lfilter(torch.from_numpy(driven), back, none, clamp=False).numpy()
        self._heard, self._said = heard[-2:], np.concatenate([self._said, said])[-2:]
        return said.astype(np.float32)
