"""Filter banks over the samples: the encoder's first layer, the auxiliary head's target."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE

WINDOW = 400
"""Samples in a frame (25 ms)."""
FFT = 512
LOG_FLOOR = 1e-4
"""Smallest mel magnitude: about 80 dB below the peaks of speech at the codec's nominal level."""
MEL_MEAN, MEL_SCALE = -6.5, 2.0
"""Mean and deviation of the log-mel of speech at the nominal level, in nats."""


LOW_WINDOW = 1024
"""Samples in a frame of the low spectrum (64 ms): harmonics 60 Hz apart are told from each other,
which in the 25 ms of the mel bands they are not."""
LOW_FIRST = 3
"""Its first bin: 47 Hz, above what the high-pass leaves of rumble."""
LOW_MEAN, LOW_SCALE = -1.7, 1.8
"""Mean and deviation of its logarithms, for speech at the nominal level."""
LOW_FLOOR = 1e-2
"""Smallest magnitude of its bins: below all but pauses."""


class LowSpectrum(nn.Module):
    """Log magnitudes of the bins from 47 Hz up, 15.6 Hz apart, a frame every 10 ms.

    Frame m is centred like `LogMel`'s, on sample 160 m + 80, and depends on 432 samples to either
    side of its own 160.
    """

    window: Tensor

    def __init__(self, bins: int):
        super().__init__()
        with torch.device("cpu"):
            window = torch.hann_window(LOW_WINDOW)
        self.bins = bins
        self.register_buffer("window", window, persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """Waveform [B, n * 160] in [-1, 1] to [B, bins, n], natural log."""
        margin = (LOW_WINDOW - FILTER_BANK_HOP) // 2
        with torch.autocast(wave.device.type, enabled=False):
            frames = F.pad(wave.float(), (margin, margin)).unfold(-1, LOW_WINDOW, FILTER_BANK_HOP)
            spectrum = torch.fft.rfft(frames * self.window)[..., LOW_FIRST : LOW_FIRST + self.bins]
            power = torch.view_as_real(spectrum).square().sum(-1)
            return (0.5 * power.clamp_min(LOW_FLOOR**2).log()).transpose(1, 2)

    def centres(self) -> Tensor:
        """Where the bins lie: [bins] in Hz."""
        bins = torch.arange(self.bins, device=self.window.device) + float(LOW_FIRST)
        return bins * SAMPLE_RATE / LOW_WINDOW


class LogMel(nn.Module):
    """Natural log of the mel magnitude spectrum, one frame every 10 ms.

    Frame m is centred on sample 160 m + 80, so n x 160 samples give exactly n frames and every
    frame depends on 120 samples to either side of its own 160 and on nothing else.
    """

    filters: Tensor
    window: Tensor

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

    def centres(self) -> Tensor:
        """Where the bands lie: the centres of gravity of the filters [mels] in Hz."""
        bins = torch.arange(len(self.filters), device=self.filters.device, dtype=torch.float32)
        return (bins @ self.filters) / self.filters.sum(0) * SAMPLE_RATE / FFT
