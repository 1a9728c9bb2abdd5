"""Sampling many streams at once on a GPU: one step in PyTorch, captured as a CUDA graph.

A step is some hundred small kernels, so launching them one by one from Python would take all the
time; a captured graph replays them as one. Elsewhere than on CUDA the same step runs uncaptured,
which is how it is tested without a GPU. Weights are float32, as they were trained.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.audio.signal import MU_LEVELS, MU_ZERO
from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.sampling.work import Work

WARM_UP_STEPS = 3
"""Steps that run uncaptured first, as CUDA graphs ask for."""


class GraphState(NamedTuple):
    """Where one stream stands. rings [sum of dilations, R]. done: steps. previous [bands]."""

    rings: Tensor
    done: Tensor
    previous: Tensor


class GraphedFormat:
    """A decoder on its own device, sampled in batches."""

    def __init__(self, decoder: WaveNetDecoder):
        self._decoder = decoder
        self._device = decoder.scale.device
        self._offsets = np.concatenate([[0], np.cumsum(decoder.stack.dilations)[:-1]]).tolist()

    def new_state(self) -> GraphState:
        """A stream that has seen nothing."""
        stack = self._decoder.stack
        return GraphState(
            torch.zeros(sum(stack.dilations), stack.residual_channels, device=self._device),
            torch.zeros((), dtype=torch.long, device=self._device),
            torch.full((self._decoder.bands,), MU_ZERO, device=self._device),
        )

    @torch.no_grad()
    def sample(self, work: list[Work], hold: int, threads: int) -> list[np.ndarray]:
        """Free-running samples of every stream, mu-law indices [F * hold, bands] uint8."""
        alike = defaultdict(list)  # a batch takes streams with the same number of steps
        for i, item in enumerate(work):
            alike[len(item.uniforms)].append(i)
        found: dict[int, np.ndarray] = {}
        for group in alike.values():
            batch = _Batch(self, [work[i] for i in group], hold)
            found.update(zip(group, batch.run(), strict=True))
        return [found[i] for i in range(len(work))]


class _Batch:
    """Streams with equally many steps to do, in buffers that a graph can hold on to."""

    def __init__(self, form: GraphedFormat, work: list[Work], hold: int):
        self._decoder, self._offsets, self._hold = form._decoder, form._offsets, hold
        device = form._device
        self._states = [item.state for item in work]
        self._rings, self._done, self._previous = (
            torch.stack(parts) for parts in zip(*self._states, strict=True)
        )
        self._uniforms = torch.from_numpy(np.stack([item.uniforms for item in work])).to(device)
        self._bias = torch.from_numpy(np.stack([item.bias for item in work])).to(device)
        self._drive = torch.from_numpy(np.stack([item.drive for item in work])).to(device)
        heat = torch.tensor([item.temperature for item in work], device=device)[:, None, None]
        self._greedy, self._heat = heat[..., 0] == 0, heat.clamp_min(1e-6)
        self._out = torch.zeros(self._uniforms.shape, dtype=torch.uint8, device=device)
        self._at = torch.zeros(1, dtype=torch.long, device=device)
        self._rows = torch.arange(len(work), device=device)

    def run(self) -> list[np.ndarray]:
        steps = self._uniforms.shape[1]
        if self._at.device.type == "cuda" and steps > WARM_UP_STEPS:
            self._run_captured(steps)
        else:
            for _ in range(steps):
                self._step()
        buffers = (self._rings, self._done, self._previous)
        for i, state in enumerate(self._states):
            for mine, together in zip(state, buffers, strict=True):
                mine.copy_(together[i])
        return list(self._out.cpu().numpy())

    def _run_captured(self, steps: int) -> None:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP_STEPS):
                self._step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):  # records the step without running it
            self._step()
        for _ in range(steps - WARM_UP_STEPS):
            graph.replay()

    def _step(self) -> None:
        """One step of every stream; changes nothing but the buffers, in place."""
        decoder, stack = self._decoder, self._decoder.stack
        width = stack.residual_channels
        bias = self._bias.index_select(1, self._at // self._hold)[:, 0]
        drive = self._drive.index_select(1, self._at)[:, 0]
        x = decoder.embed(self._previous[:, None])[:, 0] + drive
        outputs = []
        for layer, dilation in enumerate(stack.dilations):
            row = self._offsets[layer] + self._done % dilation
            past = self._rings[self._rows, row]
            self._rings[self._rows, row] = x
            h = stack.gates[layer](torch.cat([past, x], -1)) + bias[:, layer]
            z = torch.tanh(h[:, :width]) * torch.sigmoid(h[:, width:])
            outputs.append(z)
            if layer < len(stack.residual):
                x = x + stack.residual[layer](z)
        logits = decoder.logits(F.relu(stack.skip(torch.cat(outputs, -1))))
        total = torch.softmax(logits / self._heat, -1).cumsum(-1)
        uniform = self._uniforms.index_select(1, self._at)[:, 0, :, None]
        drawn = (total < uniform * total[..., -1:]).sum(-1).clamp_max(MU_LEVELS - 1)
        chosen = torch.where(self._greedy, logits.argmax(-1), drawn)
        self._previous.copy_(chosen)
        self._out.index_copy_(1, self._at, chosen[:, None].to(torch.uint8))
        self._done += 1
        self._at += 1
