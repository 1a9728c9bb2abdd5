"""Sampling many streams at once on a GPU: the reference's step, captured as a CUDA graph.

A step is some hundred small kernels, so launching them one by one from Python would take all the
time; a captured graph replays them as one. Elsewhere than on CUDA the same step runs uncaptured,
which is how it is tested without a GPU. Weights are float32, as they were trained.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.sampling.reference import ReferenceBackend, State, draw, step
from vqspeech.sampling.work import Work

WARM_UP_STEPS = 3
"""Steps that run uncaptured first, as CUDA graphs ask for."""


class CudaBackend(ReferenceBackend):
    """A decoder on its own device, sampled in batches; teacher-forced as the reference is."""

    @torch.no_grad()
    def sample(self, work: Sequence[Work], threads: int) -> list[np.ndarray]:
        """As in `Backend`; a GPU's threads are its own."""
        alike = defaultdict(list)  # a batch takes streams with the same number of steps
        for i, item in enumerate(work):
            alike[len(item.inputs)].append(i)
        found: dict[int, np.ndarray] = {}
        for group in alike.values():
            batch = _Batch(self._decoder, [work[i] for i in group])
            found.update(zip(group, batch.run(), strict=True))
        return [found[i] for i in range(len(work))]


class _Batch:
    """Streams with equally many steps to do, in buffers that a graph can hold on to."""

    def __init__(self, decoder: WaveNetDecoder, work: list[Work]):
        self._decoder, device = decoder, decoder.embedding.device
        states, *arrays, temperatures = zip(*work, strict=True)
        self._states, self._state = states, State(*map(torch.cat, zip(*states, strict=True)))
        self._conditioning, self._inputs, self._uniforms = (
            torch.from_numpy(np.stack(parts)).to(device) for parts in arrays
        )
        self._steps_per_frame = self._inputs.shape[1] // self._conditioning.shape[1]
        self._temperature = torch.tensor(temperatures, dtype=torch.float32, device=device)
        self._out = torch.zeros(self._uniforms.shape, dtype=torch.uint8, device=device)
        self._at = torch.zeros(1, dtype=torch.long, device=device)

    def run(self) -> list[np.ndarray]:
        """Samples [N, bands] of every stream; moves their states on."""
        steps = self._uniforms.shape[1]
        if self._at.device.type == "cuda" and steps > WARM_UP_STEPS:
            self._run_captured(steps)
        else:
            for _ in range(steps):
                self._step()
        for i, state in enumerate(self._states):
            for mine, together in zip(state, self._state, strict=True):
                mine.copy_(together[i, None])
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
        frame = self._at // self._steps_per_frame
        conditioning = self._conditioning.index_select(1, frame)[:, 0]
        inputs = self._inputs.index_select(1, self._at)[:, 0]
        logits = step(self._decoder, self._state, conditioning, inputs)
        uniforms = self._uniforms.index_select(1, self._at)[:, 0]
        chosen = draw(logits, uniforms, self._temperature)
        self._state.previous.copy_(chosen)
        self._out.index_copy_(1, self._at, chosen[:, None].to(torch.uint8))
        self._at += 1
