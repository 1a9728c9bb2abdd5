"""The plain incremental sampler: one step after another in PyTorch, obviously right, slow.

It is what the fast kernels are tested and measured against.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.audio.signal import MU_ZERO
from vqspeech.nn.decoder import WaveNetDecoder


def draw(logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Indices [bands] from logits [bands, 256] by inverse CDF at `uniform` [bands] in [0, 1).

    Temperature 0 takes the most likely one.
    """
    if temperature == 0:
        return logits.argmax(-1)
    total = torch.softmax(logits / temperature, -1).cumsum(-1)
    return (total < uniform[:, None] * total[:, -1:]).sum(-1)


class ReferenceSampler:
    """State of one stream: each layer's last `dilation` inputs and the previous samples."""

    def __init__(self, decoder: WaveNetDecoder):
        self.decoder, stack = decoder, decoder.stack
        width = stack.residual_channels
        self.past = [torch.zeros(d, width) for d in stack.dilations]
        self.previous = torch.full((decoder.bands,), MU_ZERO)

    @torch.no_grad()
    def step(self, bias: Tensor, drive: Tensor) -> Tensor:
        """Logits [bands, 256] of the next step.

        bias: [L, 2R], the frame's conditioning. drive: [R], added to the stack's input.
        """
        decoder, stack = self.decoder, self.decoder.stack
        x = decoder.embed(self.previous[None, None])[0, 0] + drive
        outputs = []
        for layer, past in enumerate(self.past):
            h = stack.gates[layer](torch.cat([past[0], x])) + bias[layer]
            self.past[layer] = torch.cat([past[1:], x[None]])
            a, b = h.chunk(2)
            z = torch.tanh(a) * torch.sigmoid(b)
            outputs.append(z)
            if layer < len(stack.residual):
                x = x + stack.residual[layer](z)
        return decoder.logits(F.relu(stack.skip(torch.cat(outputs))))

    @torch.no_grad()
    def run(
        self,
        bias: Tensor,
        drive: Tensor,
        hold: int,
        uniforms: Tensor,
        temperature: float = 1.0,
    ) -> Tensor:
        """Sample freely.

        bias: [F, L, 2R], each frame held for `hold` steps. drive: [F * hold, R]. uniforms:
        [F * hold, bands]. Returns indices [F * hold, bands].
        """
        out = torch.empty(uniforms.shape, dtype=torch.long)
        for n in range(len(uniforms)):
            logits = self.step(bias[n // hold], drive[n])
            self.previous = draw(logits, uniforms[n], temperature)
            out[n] = self.previous
        return out
