"""Convolution over time as one matrix product, channels last.

The arithmetic of `nn.Conv1d`, on [batch, time, channels]: the kernel's taps side by side times one
matrix. Faster to train on a CPU (`recipes/base/throughput.py` measures how much).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TimeConv(nn.Module):
    """[B, T, C] to [B, (T + 2 padding - dilation (width - 1) - 1) // stride + 1, O]."""

    def __init__(
        self,
        channels: int,
        out: int,
        width: int,
        *,
        dilation: int = 1,
        stride: int = 1,
        padding: int = 0,
    ):
        super().__init__()
        self.width, self.dilation, self.stride, self.padding = width, dilation, stride, padding
        self.linear = nn.Linear(width * channels, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self._taps(x) if x.requires_grad else self._taps_at_once(x))

    def _taps(self, x: Tensor) -> Tensor:
        """Inputs of each output step side by side, zeros beyond the ends: [B, T', width * C]."""
        x = F.pad(x, (0, 0, self.padding, self.padding))
        reach = self.dilation * (self.width - 1)
        taps = [
            x[:, i * self.dilation : x.shape[1] - reach + i * self.dilation : self.stride]
            for i in range(self.width)
        ]
        return torch.cat(taps, -1)

    def _taps_at_once(self, x: Tensor) -> Tensor:
        """The same, each value written once; for gradients, writing in place costs too much."""
        batch, steps, channels = x.shape
        reach = self.dilation * (self.width - 1)
        size = (steps + 2 * self.padding - reach - 1) // self.stride + 1
        taps = x.new_empty(batch, size, self.width, channels)
        for i in range(self.width):
            offset = i * self.dilation - self.padding  # output t reads input t * stride + offset
            first = min(size, max(0, -(offset // self.stride)))
            last = max(first, min(size, (steps - 1 - offset) // self.stride + 1))
            start = first * self.stride + offset
            end = start + (last - first) * self.stride
            taps[:, :first, i] = 0
            taps[:, first:last, i] = x[:, start : end : self.stride]
            taps[:, last:, i] = 0
        return taps.flatten(2)
