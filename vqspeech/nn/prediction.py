"""Linear prediction in each sub-band, from the log-mel that the codes predict.

A network that is unsure of the next sample draws an error that is white in the domain in which it
draws. In the band signal that error fills the valleys between formants; in the residual of a linear
prediction the synthesis filter shapes it like the speech around it (LPCNet, Valin and Skoglund
2019; LP-WaveNet, Hwang et al. 2018). The predictor costs no bits: it comes from the log-mel, which
says how much power there is at each frequency, and so the band's autocorrelation.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.nn.filter_banks import LOG_FLOOR, LogMel
from vqspeech.nn.subbands import TAPS, filters

LOUDEST = 2.0
"""Log of the largest mel magnitude: of a sine of full scale it is 1.1."""
GRID = 64
"""Frequencies of a band at which its power is looked up."""
WHITE = 1e-3
"""Of a band's power, added at all frequencies: -30 dB, beyond which an envelope is not believed."""


class Predictor(NamedTuple):
    """How each band is predicted in each frame of 10 ms.

    coefficients [B, n, bands, order]: of the samples before, the last one first. full_scale [B, n,
    bands]: of what the prediction leaves. lags int64 [B, n]: of the lowest band's long-term
    prediction (`nn.long_term`); 0 for none.
    """

    coefficients: Tensor
    full_scale: Tensor
    lags: Tensor


class BandPrediction(nn.Module):
    """Log-mel [B, mels, n] to the `Predictor` of order `order` of each of `bands` sub-bands."""

    weights: Tensor
    response: Tensor
    cosines: Tensor

    def __init__(self, bands: int, mels: int, order: int):
        super().__init__()
        self.order = order
        rate = SAMPLE_RATE / bands
        own = (np.arange(GRID) + 0.5) / GRID * rate / 2
        # What a band holds at a frequency once it is decimated: itself and its images.
        images = [own] if bands == 1 else [own, rate - own, rate + own, 2 * rate - own]
        frequencies = np.stack(images)
        with torch.device("cpu"):
            centres = LogMel(mels).centres().numpy()
            weights = np.stack([np.interp(frequencies, centres, row) for row in np.eye(mels)])
            response = np.ones((bands, *frequencies.shape))
            if bands > 1:
                angle = 2 * math.pi / SAMPLE_RATE * frequencies[..., None] * np.arange(TAPS + 1)
                analysis = filters(bands)[0][:, None, None]
                response = abs((analysis * np.exp(-1j * angle)).sum(-1)) ** 2
            cosines = np.cos(2 * math.pi / rate * own[:, None] * np.arange(order + 1)) / GRID
            here = {"dtype": torch.float32, "device": "cpu"}
            tables = {"weights": weights, "response": response, "cosines": cosines}
            for name, table in tables.items():
                self.register_buffer(name, torch.tensor(table, **here), persistent=False)

    def forward(self, log_mel: Tensor) -> Predictor:
        """log_mel: natural log, as of `LogMel`. The full scale is the deviation of what is left,
        but for a constant of the band."""
        with torch.autocast(log_mel.device.type, enabled=False):
            # Nothing is quieter than the floor, nor louder than speech can be: a log-mel of a voice
            # that nobody has may be beyond both, and nothing but NaN would follow from it.
            log_mel = log_mel.float().clamp(math.log(LOG_FLOOR), LOUDEST)
            magnitude = torch.einsum("bmn,mig->bnig", log_mel, self.weights)
            power = torch.einsum("bnig,kig->bnkg", (2 * magnitude).exp(), self.response)
            correlation = power @ self.cosines
            correlation[..., 0] *= 1 + WHITE
            coefficients, error = levinson(correlation)
            none = torch.zeros(error.shape[:2], dtype=torch.long, device=error.device)
            return Predictor(coefficients, error.sqrt(), none)


def levinson(correlation: Tensor) -> tuple[Tensor, Tensor]:
    """Autocorrelation [..., order + 1] to the best predictor's coefficients [..., order], of the
    last sample first, and the power [...] of its error (Durbin's recursion)."""
    found, error = correlation[..., :0], correlation[..., 0]
    for lag in range(1, correlation.shape[-1]):
        known = (found * correlation[..., 1:lag].flip(-1)).sum(-1)
        reflection = (correlation[..., lag] - known) / error
        found = torch.cat(
            [found - reflection[..., None] * found.flip(-1), reflection[..., None]], -1
        )
        error = error * (1 - reflection.square())
    return found, error


def predicted_of(bands: Tensor, coefficients: Tensor) -> Tensor:
    """The prediction of each sample of `bands` [B, bands, N] from those before it, by the
    coefficients [B, n, bands, order] of its frame."""
    frames, order = coefficients.shape[1], coefficients.shape[-1]
    if not order:
        return torch.zeros_like(bands)
    batch, count, steps = bands.shape
    past = F.pad(bands, (order, 0)).unfold(-1, order, 1)[..., :steps, :].flip(-1)
    past = past.reshape(batch, count, frames, steps // frames, order)
    found = torch.einsum("bknso,bnko->bkns", past, coefficients.to(bands.dtype))
    return found.reshape(batch, count, steps)
