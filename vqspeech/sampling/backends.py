"""The formats in which a WaveNet's weights are sampled, behind one interface.

- int8: a quarter of the bytes, integer products, several streams a weight: the fast one.
- float32: the training graph's own arithmetic, one stream at a time: the reference.

In both a stream's samples are the same alone, in any batch and on any number of threads.
"""

import sys
from pathlib import Path

import numpy as np

from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.parallel import mapped_ahead
from vqspeech.sampling.float32_weights import new_state, pack_wavenet
from vqspeech.sampling.work import Work

TOGETHER = 4
"""Streams that share each weight as it is read. More of them would crowd the weights out of a
core's second cache with what they remember."""


class _Format:
    """What the formats on a CPU share."""

    def logits(
        self,
        state,
        bias: np.ndarray,
        hold: int,
        samples: np.ndarray,
        drive: np.ndarray | None = None,
    ) -> np.ndarray:
        """Teacher-forced logits [N, bands, 256] of given samples [N, bands] uint8.

        bias, drive: as in `Work`; without a drive it is zeros.
        """
        if drive is None:
            drive = np.zeros((len(samples), self._net.embedding.shape[2]), np.float32)
        return self._forced(state, bias, drive, hold, samples).reshape(*samples.shape, -1)


class Float32Format(_Format):
    """Weights as they were trained."""

    def __init__(self, decoder: WaveNetDecoder):
        self._net = pack_wavenet(decoder)

    def new_state(self):
        """A stream that has seen nothing."""
        return new_state(self._net)

    def sample(self, work: list[Work], hold: int, threads: int) -> list[np.ndarray]:
        """Free-running samples of every stream, mu-law indices [F * hold, bands] uint8."""
        from vqspeech.sampling import float32_kernels as kernels

        announce_compilation(kernels.run)

        def run(item: Work) -> np.ndarray:
            out = np.empty(item.uniforms.shape, np.uint8)
            state, bias, drive, uniforms, temperature = item
            kernels.run(self._net, state, bias, drive, hold, uniforms, float(temperature), out)
            return out

        return list(mapped_ahead(run, work, threads))

    def _forced(self, state, bias, drive, hold: int, samples: np.ndarray) -> np.ndarray:
        from vqspeech.sampling import float32_kernels as kernels

        out = np.empty((len(samples), len(self._net.output_bias)), np.float32)
        kernels.run_forced(self._net, state, bias, drive, hold, samples, out)
        return out


class Int8Format(_Format):
    """Weights quantised to int8, inputs to int16. Raises InputError for layers too wide."""

    def __init__(self, decoder: WaveNetDecoder):
        from vqspeech.sampling import int8_weights as narrow

        self._narrow = narrow
        self._net = narrow.narrow_wavenet(pack_wavenet(decoder))

    def new_state(self):
        """A stream that has seen nothing."""
        return self._narrow.new_narrow_state(self._net)

    def sample(self, work: list[Work], hold: int, threads: int) -> list[np.ndarray]:
        """Free-running samples of every stream, mu-law indices [F * hold, bands] uint8."""
        from vqspeech.sampling import int8_kernels as narrow_kernels

        announce_compilation(narrow_kernels.run)
        # The longest first: at any step the streams that still run are the first ones.
        order = sorted(range(len(work)), key=lambda i: -len(work[i].uniforms))
        each = max(1, min(TOGETHER, -(-len(order) // threads)))
        shares = [order[i : i + each] for i in range(0, len(order), each)]
        found: dict[int, np.ndarray] = {}
        for share, out in zip(
            shares,
            mapped_ahead(lambda share: self._run([work[i] for i in share], hold), shares, threads),
            strict=True,
        ):
            found.update(zip(share, out, strict=True))
        return [found[i] for i in range(len(work))]

    def _forced(self, state, bias, drive, hold: int, samples: np.ndarray) -> np.ndarray:
        work = [Work(state, bias, drive, np.zeros(samples.shape, np.float32), 1.0)]
        logits = np.empty((1, len(samples), len(self._net.output_bias)), np.float32)
        self._run(work, hold, samples[None].copy(), logits)
        return logits[0]

    def _run(self, work: list[Work], hold: int, samples=None, logits=None) -> list[np.ndarray]:
        from vqspeech.sampling import int8_kernels as narrow_kernels

        counts = np.array([len(item.uniforms) for item in work])
        together = self._narrow.NarrowState(
            *(np.stack(parts) for parts in zip(*(item.state for item in work), strict=True))
        )
        uniforms = stacked([item.uniforms for item in work])
        forced = samples is not None
        out = samples if forced else np.zeros(uniforms.shape, np.uint8)
        if logits is None:
            logits = np.empty((len(work), 1, len(self._net.output_bias)), np.float32)
        narrow_kernels.run(
            self._net,
            together,
            self._narrow.padded_gates(stacked([item.bias for item in work])),
            self._narrow.padded(stacked([item.drive for item in work]), 2),
            hold,
            counts,
            uniforms,
            np.array([item.temperature for item in work], np.float32),
            forced,
            out,
            logits,
        )
        for i, item in enumerate(work):
            for mine, all_streams in zip(item.state, together, strict=True):
                mine[...] = all_streams[i]
        return [out[i, :count] for i, count in enumerate(counts)]


def stacked(arrays: list[np.ndarray]) -> np.ndarray:
    """[N_i, ...] float32 arrays to [B, max N_i, ...], zeros beyond the ends."""
    out = np.zeros((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), np.float32)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return out


FORMATS = {"int8": Int8Format, "float32": Float32Format}

_announced: set[str] = set()


def announce_compilation(kernel) -> None:
    """Say on stderr, once, that a kernel must be compiled: the first call on a machine waits."""
    name = kernel.py_func.__module__
    if name in _announced or kernel.signatures:
        return
    _announced.add(name)
    source = Path(kernel.py_func.__code__.co_filename)
    made = Path(kernel.stats.cache_path).glob(f"{source.stem}.{kernel.py_func.__name__}-*.nbi")
    if not any(index.stat().st_mtime >= source.stat().st_mtime for index in made):
        print(
            "vqspeech: compiling the sampler for this machine, once (up to half a minute)",
            file=sys.stderr,
        )
