"""The int8 backend: weights quantised to int8, inputs to int16, streams that share each weight."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.parallel import mapped_ahead
from vqspeech.sampling import int8_kernels, int8_weights
from vqspeech.sampling.float32_weights import pack_wavenet
from vqspeech.sampling.work import Drawn, Work

TOGETHER = 4
"""Streams that share each weight as it is read. More of them would crowd the weights out of a
core's second cache with what they remember."""


class Int8Backend:
    """A decoder's weights, quantised. Raises InputError for layers too wide."""

    def __init__(self, decoder: WaveNetDecoder):
        self._net = int8_weights.quantise_wavenet(pack_wavenet(decoder))

    def new_state(self) -> int8_weights.Int8State:
        """As in `Backend`."""
        return int8_weights.new_state(self._net)

    def sample(self, work: Sequence[Work], threads: int) -> list[Drawn]:
        """As in `Backend`."""
        # The longest first: at any step the streams that still run are the first ones.
        order = sorted(range(len(work)), key=lambda i: -len(work[i].inputs))
        each = max(1, min(TOGETHER, -(-len(order) // threads)))
        shares = [order[i : i + each] for i in range(0, len(order), each)]
        sampled = mapped_ahead(
            lambda share: self._sampled([work[i] for i in share]), shares, threads
        )
        found = dict(zip(order, chain.from_iterable(sampled), strict=True))
        return [found[i] for i in range(len(work))]

    def _sampled(self, work: list[Work]) -> list[Drawn]:
        shape = len(work), *work[0].uniforms.shape
        indices, bands = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
        logits = np.empty((len(work), 1, len(self._net.output_bias)), np.float32)
        self._run(work, False, Drawn(indices, bands), logits)
        return [
            Drawn(indices[i, : len(item.inputs)], bands[i, : len(item.inputs)])
            for i, item in enumerate(work)
        ]

    def logits(self, work: Work, samples: np.ndarray) -> np.ndarray:
        """As in `Backend`."""
        logits = np.empty((1, len(samples), len(self._net.output_bias)), np.float32)
        bands = np.empty((1, *samples.shape), np.float32)
        self._run([work], True, Drawn(samples[None].copy(), bands), logits)
        return logits.reshape(*samples.shape, -1)

    def _run(self, work: list[Work], forced: bool, drawn: Drawn, logits: np.ndarray) -> None:
        """The kernel on streams side by side, the longest first; drawn and logits are its own."""
        states = [item.state for item in work]
        together = int8_weights.Int8State(*map(np.stack, zip(*states, strict=True)))
        batch = int8_kernels.Batch(
            together,
            int8_weights.padded_gates(stacked([item.conditioning for item in work])),
            int8_weights.padded(stacked([item.inputs for item in work]), 2),
            stacked([item.coefficients for item in work]),
            stacked([item.full_scale for item in work]),
            stacked([item.lags for item in work]),
            stacked([item.temperatures for item in work]),
            stacked([item.uniforms for item in work]),
            np.array([len(item.inputs) for item in work]),
        )
        int8_kernels.run(self._net, batch, forced, *drawn, logits)
        for i, state in enumerate(states):
            for mine, all_streams in zip(state, together, strict=True):
                mine[...] = all_streams[i]


def stacked(arrays: list[np.ndarray]) -> np.ndarray:
    """[N_i, ...] arrays of one type to [B, max N_i, ...], zeros beyond the ends."""
    shape = len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]
    out = np.zeros(shape, arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return out
