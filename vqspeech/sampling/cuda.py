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
from vqspeech.sampling.reference import (
    Frame,
    ReferenceBackend,
    State,
    draw,
    follow,
    predicted,
    step,
)
from vqspeech.sampling.work import Drawn, Work

WARM_UP_STEPS = 3
"""Steps that run uncaptured first, as CUDA graphs ask for."""


class CudaBackend(ReferenceBackend):
    """A decoder on its own device, sampled in batches; teacher-forced as the reference is."""

    @torch.no_grad()
    def sample(self, work: Sequence[Work], threads: int) -> list[Drawn]:
        """As in `Backend`; a GPU's threads are its own."""
        alike = defaultdict(list)  # a batch takes streams with the same number of steps
        for i, item in enumerate(work):
            alike[len(item.inputs)].append(i)
        found: dict[int, Drawn] = {}
        for group in alike.values():
            batch = _Batch(self._decoder, [work[i] for i in group])
            found.update(zip(group, batch.run(), strict=True))
        return [found[i] for i in range(len(work))]


class _Batch:
    """Streams with equally many steps to do, in buffers that a graph can hold on to."""

    def __init__(self, decoder: WaveNetDecoder, work: list[Work]):
        self._decoder, device = decoder, decoder.embedding.device
        states, *arrays = zip(*work, strict=True)
        self._states, self._state = states, State(*map(torch.cat, zip(*states, strict=True)))
        self._told = [torch.from_numpy(np.stack(parts)).to(device) for parts in arrays]
        shape = len(work), *work[0].uniforms.shape
        self._steps = shape[1]
        self._out = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._bands = torch.zeros(shape, dtype=torch.float32, device=device)
        self._at = torch.zeros(1, dtype=torch.long, device=device)

    def run(self) -> list[Drawn]:
        """What every stream gives; moves their states on."""
        if self._at.device.type == "cuda" and self._steps > WARM_UP_STEPS:
            self._run_captured(self._steps)
        else:
            for _ in range(self._steps):
                self._step()
        for i, state in enumerate(self._states):
            for mine, together in zip(state, self._state, strict=True):
                mine.copy_(together[i, None])
        return list(map(Drawn, self._out.cpu().numpy(), self._bands.cpu().numpy()))

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
        frame = Frame(*(self._now(part) for part in self._told))
        prediction, heard = predicted(self._decoder, self._state, frame)
        logits = step(self._decoder, self._state, heard, frame)
        drawn = draw(logits, frame.uniforms, frame.temperatures)
        bands = follow(self._decoder, self._state, drawn, prediction, frame)
        self._out.index_copy_(1, self._at, drawn[:, None].to(torch.uint8))
        self._bands.index_copy_(1, self._at, bands[:, None])
        self._at += 1

    def _now(self, part: torch.Tensor) -> torch.Tensor:
        """What [B, M, ...] says of the step, each of the M for as many of them."""
        return part.index_select(1, self._at // (self._steps // part.shape[1]))[:, 0]
