"""Waveform to z_e: dilated convolutions with a finite, known receptive field.

Every layer pads with zeros beyond the item's own frames (`mask`), never with what other items or
other chunks hold. So an item gives the same z_e alone, in a batch of longer ones, and cut into
chunks that overlap by `context_frames`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.signal import FILTER_BANK_HOP, frames_for
from vqspeech.config.networks import EncoderConfig
from vqspeech.nn.augmentation import draw, equalised, scaled
from vqspeech.nn.embedding import embedding
from vqspeech.nn.filter_banks import (
    LOG_FLOOR,
    LOW_FLOOR,
    LOW_MEAN,
    LOW_SCALE,
    LOW_WINDOW,
    MEL_MEAN,
    MEL_SCALE,
    WINDOW,
    LogMel,
    LowSpectrum,
)
from vqspeech.nn.interleaving import picked, turns
from vqspeech.nn.timeconv import TimeConv


def masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """x [B, F, C] times mask [B, F, 1]; no mask means that every item fills its row."""
    return x if mask is None else x * mask


def keep_variance(layer: TimeConv) -> None:
    """Weights under which what a layer hears varies as much above it (He et al. 2015).

    PyTorch's own lose a factor of two or three a layer. After six, biases are most of what is left,
    and codes say little of the recording (`recipes/paper/README.md`).
    """
    nn.init.kaiming_normal_(layer.linear.weight, nonlinearity="relu")
    nn.init.zeros_(layer.linear.bias)


class ResidualBlock(nn.Module):
    """x + linear(gelu(dilated conv3(gelu(x)))): [B, F, C] -> [B, F, C]."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.dilated = TimeConv(channels, channels, 3, dilation=dilation, padding=dilation)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        # x is zero beyond the item, and gelu(0) = 0: only the biases need masking.
        return masked(x + self.mix(F.gelu(self.dilated(F.gelu(x)))), mask)


class FilterBanks(nn.Module):
    """Waveform [B, n * 160] to log-mel bands and, beside them, the low spectrum: [B, n, C]."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        self.log_mel = LogMel(config.mels)
        self.low = LowSpectrum(config.low_bins) if config.low_bins else None
        self.channels = config.mels + config.low_bins
        window = LOW_WINDOW if config.low_bins else WINDOW
        self.reach = frames_for((window - FILTER_BANK_HOP) // 2, FILTER_BANK_HOP)
        """Frames to either side of which a frame hears something."""

    def forward(self, wave: Tensor) -> Tensor:
        """In training each recording as augmented (`nn.augmentation`)."""
        banks = (
            (self.log_mel, MEL_MEAN, MEL_SCALE, LOG_FLOOR),
            (self.low, LOW_MEAN, LOW_SCALE, LOW_FLOOR),
        )
        change = draw(self.config, len(wave), wave.device) if self.training else None
        found = []
        for bank, mean, scale, floor in banks:
            if bank is None:
                continue
            bands = bank(wave)
            if change is not None:
                centres = bank.centres()
                factor = change.vtlp * (change.pitch_shift if bank is self.low else 1)
                bands = scaled(bands, centres, factor)
                bands = equalised(bands, centres, change.equaliser, math.log(floor))
            found.append((bands - mean) / scale)
        return torch.cat(found, 1).transpose(1, 2)


class Encoder(nn.Module):
    """Waveform [B, T] to z_e [B, D, F], F = ceil(T / hop).

    books: how many codebooks the frames take in turn, from the first on.
    """

    def __init__(self, config: EncoderConfig, hop: int, dim: int, books: int = 1):
        super().__init__()
        self.hop, self.books = hop, books
        width = config.channels
        if config.kind == "logmel":
            self.factor = hop // FILTER_BANK_HOP
            self.banks = FilterBanks(config)
            self.stem = TimeConv(self.banks.channels, width, 3, padding=1)
            self.fine = nn.ModuleList(ResidualBlock(width, d) for d in config.fine_dilations)
            half = self.factor // 2
            widen = self.factor + 2 * half
            down = [TimeConv(width, width, widen, stride=self.factor, padding=half)]
            reach = self.banks.reach + 1 + sum(config.fine_dilations) + half
        else:
            self.factor, self.deviation = hop, config.deviation
            self.banks = None
            down, reach, rate = [], 0, hop
            for i, stride in enumerate(config.strides):
                pad = (config.window - stride) // 2
                channels = width if i else 1
                down.append(TimeConv(channels, width, config.window, stride=stride, padding=pad))
                keep_variance(down[-1])
                reach += pad * (hop // rate)
                rate //= stride
        self.down = nn.ModuleList(down)
        self.coarse = nn.ModuleList(ResidualBlock(width, d) for d in config.coarse_dilations)
        # Tells the coarse layers whose turn it is.
        self.turn = embedding(books, width, 0.1) if books > 1 else None
        self.project = nn.Linear(width, books * dim)
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

        if self.banks is not None:
            here = mask(self.factor)
            x = masked(self.stem(masked(self.banks(wave), here)), here)
            for block in self.fine:
                x = block(x, here)
        else:
            x = wave[..., None] / self.deviation
        for i, layer in enumerate(self.down):
            x = layer(F.gelu(x) if i or self.banks is not None else x)
            x = masked(x, mask(x.shape[1] // frames))
        here = mask(1)
        if self.turn is not None:
            x = masked(x + self.turn(turns(frames, self.books, x.device)), here)
        for block in self.coarse:
            x = block(x, here)
        z_e = picked(self.project(F.gelu(x)), self.books)
        return masked(z_e, here).transpose(1, 2)
