"""The plain incremental sampler: one step after another in PyTorch, obviously right, slow.

It is what the fast backends are tested and measured against. Its step takes streams side by side,
so that it is also the GPU's (`sampling.cuda`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.audio.signal import MU_LEVELS, MU_ZERO
from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.sampling.work import Work


class State(NamedTuple):
    """Where B streams stand; changed in place.

    rings [B, sum of dilations, R]: each layer's last inputs. steps [B]: how many are done.
    previous [B, bands]: the last samples' indices.
    """

    rings: Tensor
    steps: Tensor
    previous: Tensor


def step(decoder: WaveNetDecoder, state: State, conditioning: Tensor, inputs: Tensor) -> Tensor:
    """Logits [B, bands, 256] of the samples after `state.previous`, which the caller then sets.

    conditioning: [B, L, 2R], each stream's frame. inputs: [B, R], added to the stack's input.
    """
    stack, offset, outputs = decoder.stack, 0, []
    streams = torch.arange(len(state.steps), device=inputs.device)
    x = decoder.embed(state.previous[:, None])[:, 0] + inputs
    for layer, dilation in enumerate(stack.dilations):
        oldest = offset + state.steps % dilation
        offset += dilation
        past = state.rings[streams, oldest]
        state.rings[streams, oldest] = x
        h = stack.gates[layer](torch.cat([past, x], -1)) + conditioning[:, layer]
        a, b = h.chunk(2, -1)
        z = torch.tanh(a) * torch.sigmoid(b)
        outputs.append(z)
        if layer < len(stack.residual):
            x = x + stack.residual[layer](z)
    state.steps.add_(1)
    return decoder.logits(F.relu(stack.skip(torch.cat(outputs, -1))))


def draw(logits: Tensor, uniforms: Tensor, temperature: Tensor) -> Tensor:
    """Indices [B, bands] from logits [B, bands, 256] by inverse CDF at uniforms [B, bands].

    temperature: [B]; 0 takes the most likely one.
    """
    heat = temperature[:, None, None].clamp_min(1e-6)
    total = torch.softmax(logits / heat, -1).cumsum(-1)
    drawn = (total < uniforms[..., None] * total[..., -1:]).sum(-1).clamp_max(MU_LEVELS - 1)
    return torch.where(temperature[:, None] == 0, logits.argmax(-1), drawn)


class ReferenceBackend:
    """A decoder where it is, one stream after another."""

    def __init__(self, decoder: WaveNetDecoder):
        self._decoder, self._device = decoder, decoder.embedding.device

    def new_state(self) -> State:
        """A stream that has seen nothing, B = 1."""
        stack = self._decoder.stack
        return State(
            self._decoder.embedding.new_zeros(1, sum(stack.dilations), stack.residual_channels),
            torch.zeros(1, dtype=torch.long, device=self._device),
            torch.full((1, self._decoder.bands), MU_ZERO, device=self._device),
        )

    def sample(self, work: Sequence[Work], threads: int) -> list[np.ndarray]:
        """As in `Backend`; PyTorch minds its own threads."""
        return [self._run(item)[0] for item in work]

    def logits(self, work: Work, samples: np.ndarray) -> np.ndarray:
        """As in `Backend`."""
        return self._run(work, torch.from_numpy(samples))[1]

    @torch.no_grad()
    def _run(self, work: Work, samples: Tensor | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Samples [N, bands], drawn if none are given, and their logits [N, bands, 256]."""
        state, *arrays, temperature = work
        conditioning, inputs, uniforms = (torch.from_numpy(a).to(self._device) for a in arrays)
        heat = torch.tensor([temperature], dtype=torch.float32, device=self._device)
        steps_per_frame = len(inputs) // len(conditioning)
        found, logits = [], []
        for n in range(len(inputs)):
            frame = conditioning[n // steps_per_frame, None]
            here = step(self._decoder, state, frame, inputs[n, None])
            drawn = draw(here, uniforms[n, None], heat) if samples is None else samples[n, None]
            state.previous.copy_(drawn)
            found.append(drawn[0].to(torch.uint8))
            logits.append(here[0])
        return torch.stack(found).cpu().numpy(), torch.stack(logits).cpu().numpy()
