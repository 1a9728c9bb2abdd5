"""The log-mel filter bank: first layer of the encoder, target of the auxiliary head."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from vqspeech.config import FILTER_BANK_HOP
from vqspeech.dsp import SAMPLE_RATE

WINDOW = 400
"""Samples in a frame (25 ms)."""
FFT = 512
LOG_FLOOR = 1e-4
"""Smallest mel magnitude: about 80 dB below the peaks of speech at the codec's nominal level."""
MEL_MEAN, MEL_SCALE = -6.5, 2.0
"""Mean and deviation of the log-mel of speech at the nominal level, in nats."""


class LogMel(nn.Module):
    """Natural log of the mel magnitude spectrum, one frame every 10 ms.

    Frame m is centred on sample 160 m + 80, so n x 160 samples give exactly n frames and every
    frame depends on 120 samples to either side of its own 160 and on nothing else.
    """

    def __init__(self, mels: int):
        super().__init__()
        # They read their own values, which the meta device has not.
        with torch.device("cpu"):
            window = torch.hann_window(WINDOW)
            filters = melscale_fbanks(
                FFT // 2 + 1,
                0.0,
                SAMPLE_RATE / 2,
                mels,
                SAMPLE_RATE,
                norm="slaney",
                mel_scale="slaney",
            )
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", window, persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """Waveform [B, n * 160] in [-1, 1] to log-mel [B, mels, n], natural log."""
        margin = (WINDOW - FILTER_BANK_HOP) // 2
        with torch.autocast(wave.device.type, enabled=False):  # the same at any precision
            frames = F.pad(wave.float(), (margin, margin)).unfold(-1, WINDOW, FILTER_BANK_HOP)
            # Not abs(): on complex numbers it guards against overflow, at three times the cost.
            spectrum = torch.view_as_real(torch.fft.rfft(frames * self.window, FFT))
            magnitude = (spectrum[..., 0].square() + spectrum[..., 1].square()).sqrt()
            return (magnitude @ self.filters).clamp_min(LOG_FLOOR).log().transpose(1, 2)
