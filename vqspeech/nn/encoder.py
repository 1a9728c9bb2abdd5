"""Waveform to z_e: dilated convolutions with a finite, known receptive field.

Every layer pads with zeros beyond the item's own frames (`mask`), never with what other items or
other chunks hold. So an item gives the same z_e alone, in a batch of longer ones, and cut into
chunks that overlap by `context_frames`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config import FILTER_BANK_HOP, EncoderConfig
from vqspeech.dsp import frames_for
from vqspeech.nn.features import MEL_MEAN, MEL_SCALE, LogMel
from vqspeech.nn.timeconv import TimeConv


def masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """x [B, F, C] times mask [B, F, 1]; no mask means that every item fills its row."""
    return x if mask is None else x * mask


class ResidualBlock(nn.Module):
    """x + linear(gelu(dilated conv3(gelu(x)))): [B, F, C] -> [B, F, C]."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.dilated = TimeConv(channels, channels, 3, dilation=dilation, padding=dilation)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        # x is zero beyond the item, and gelu(0) = 0: only the biases need masking.
        return masked(x + self.mix(F.gelu(self.dilated(F.gelu(x)))), mask)


class Encoder(nn.Module):
    """Waveform [B, T] to z_e [B, D, F], F = ceil(T / hop)."""

    def __init__(self, config: EncoderConfig, hop: int, dim: int):
        super().__init__()
        self.hop = hop
        width = config.channels
        if config.kind == "logmel":
            self.factor = hop // FILTER_BANK_HOP
            self.log_mel = LogMel(config.mels)
            self.stem = TimeConv(config.mels, width, 3, padding=1)
            self.fine = nn.ModuleList(ResidualBlock(width, d) for d in config.fine_dilations)
            half = self.factor // 2
            widen = self.factor + 2 * half
            down = [TimeConv(width, width, widen, stride=self.factor, padding=half)]
            # One frame for the filter bank's own margin, one for the stem.
            reach = 2 + sum(config.fine_dilations) + half
        else:
            self.factor = hop
            self.log_mel = None
            down, reach, rate = [], 0, hop
            for i, stride in enumerate(config.strides):
                pad = (config.window - stride) // 2
                channels = width if i else 1
                down.append(TimeConv(channels, width, config.window, stride=stride, padding=pad))
                reach += pad * (hop // rate)
                rate //= stride
        self.down = nn.ModuleList(down)
        self.coarse = nn.ModuleList(ResidualBlock(width, d) for d in config.coarse_dilations)
        self.project = nn.Linear(width, dim)
        self.context_frames = frames_for(reach, self.factor) + sum(config.coarse_dilations)
        """Code frames to either side of a frame that it may depend on."""

    def forward(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Encode.

        wave: [B, T] at 16 kHz, zeros beyond each item's `lengths` [B] samples (default: all T).
        Returns z_e [B, D, ceil(T / hop)], zero beyond each item's own frames.
        """
        samples = wave.shape[-1]
        frames = frames_for(samples, self.hop)
        wave = F.pad(wave, (0, frames * self.hop - samples))

        def mask(rate: int) -> Tensor | None:
            """[B, frames * rate, 1]: one within the item at `rate` steps a code frame."""
            if lengths is None:
                return None
            own = (lengths + self.hop - 1) // self.hop * rate
            grid = torch.arange(frames * rate, device=wave.device)
            return (grid < own[:, None])[..., None].to(wave.dtype)

        rate = self.factor
        if self.log_mel is not None:
            here = mask(rate)
            x = masked(((self.log_mel(wave) - MEL_MEAN) / MEL_SCALE).transpose(1, 2), here)
            x = masked(self.stem(x), here)
            for block in self.fine:
                x = block(x, here)
        else:
            x = wave[..., None]
        for i, layer in enumerate(self.down):
            rate //= layer.stride
            x = masked(layer(F.gelu(x) if i or self.log_mel is not None else x), mask(rate))
        here = mask(1)
        for block in self.coarse:
            x = block(x, here)
        return masked(self.project(F.gelu(x)), here).transpose(1, 2)
