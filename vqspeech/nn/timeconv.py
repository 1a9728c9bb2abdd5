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
        x = F.pad(x, (0, 0, self.padding, self.padding))
        reach = self.dilation * (self.width - 1)
        taps = [
            x[:, i * self.dilation : x.shape[1] - reach + i * self.dilation : self.stride]
            for i in range(self.width)
        ]
        return self.linear(torch.cat(taps, -1))
