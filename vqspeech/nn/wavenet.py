"""The causal gated stack: serves the waveform decoder and the prior over codes.

van den Oord et al. 2016 (WaveNet), equation 2 and section 2.4. Written as matrix products over
[batch, time, channels] rather than `Conv1d` over [batch, channels, time]: the same arithmetic,
faster to train on a CPU (`recipes/base/throughput.py` measures how much).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GatedStack(nn.Module):
    """Dilated causal layers of width two with gates, residual and skip connections.

    Layer l: h = W_l [x(t - d_l), x(t)] + c_l(t);  z = tanh(h_a) sigmoid(h_b);  x <- x + V_l z.
    The skip output is one product of all layers' z: relu(sum_l S_l z_l + b). dropout: of z, in
    training.
    """

    def __init__(
        self,
        residual_channels: int,
        skip_channels: int,
        dilations: Sequence[int],
        dropout: float = 0.0,
    ):
        super().__init__()
        self.residual_channels, self.dropout = residual_channels, dropout
        self.dilations = tuple(dilations)
        width = residual_channels
        self.gates = nn.ModuleList(
            nn.Linear(2 * width, 2 * width, bias=False) for _ in self.dilations
        )
        # The last layer's residual output would feed nothing.
        self.residual = nn.ModuleList(nn.Linear(width, width) for _ in self.dilations[:-1])
        self.skip = nn.Linear(len(self.dilations) * width, skip_channels)

    @property
    def receptive_field(self) -> int:
        """Steps that an output may depend on, its own included."""
        return 1 + sum(self.dilations)

    def forward(self, x: Tensor, conditioning: Tensor, first: int = 0) -> Tensor:
        """Run all steps at once.

        x: [B, T, R]. conditioning: [B, F, L, 2R], each frame held for T / F steps; its bias is
        the gates' bias. Returns [B, T - first, S], the outputs from step `first` on; output t
        depends on x at t and before.
        """
        batch, steps, width = x.shape
        frames = conditioning.shape[1]
        outputs = []
        for layer, dilation in enumerate(self.dilations):
            past = F.pad(x, (0, 0, dilation, 0))[:, :steps]
            h = self.gates[layer](torch.cat([past, x], -1))
            h = h.view(batch, frames, -1, 2 * width) + conditioning[:, :, layer, None]
            a, b = h.view(batch, steps, 2 * width).chunk(2, -1)
            z = torch.tanh(a) * torch.sigmoid(b)
            if self.training and self.dropout:
                z = F.dropout(z, self.dropout)
            outputs.append(z[:, first:])
            if layer < len(self.residual):
                x = x + self.residual[layer](z)
        return F.relu(self.skip(torch.cat(outputs, -1)))
