"""Free-running synthesis: hidden frames in, waveforms out, in bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.nn.excitation import PhaseWalk
from vqspeech.nn.subbands import TAPS, FilterBank
from vqspeech.nn.surroundings import one_thread, threads
from vqspeech.sampling.backend import backend_for
from vqspeech.sampling.work import Work


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The same values, float32, in the CPU's memory."""
    return tensor.detach().float().cpu().numpy()


class Frames(NamedTuple):
    """What a stream is told of F code frames.

    hidden: [1, H, F]. f0: [1, n], a frame for every 10 ms of them, Hz, 0 unvoiced; for a decoder
    with excitation or a long-term prediction. log_mel: [1, mels, n]; for one that draws residuals.
    """

    hidden: Tensor
    f0: Tensor | None = None
    log_mel: Tensor | None = None


class BandJoiner:
    """Band signals in, waveform out, block by block; equal to `FilterBank.join` of the whole."""

    def __init__(self, bank: FilterBank):
        self._bank = bank
        self._tail = torch.zeros(
            1, TAPS + 1 - bank.bands, dtype=torch.float32
        )  # moves to the device of the bands
        self._skip = TAPS // 2  # the response begins this early

    def add(self, bands: Tensor) -> np.ndarray:
        """The next [1, bands, N] to the samples that are now final, float32."""
        whole = self._bank.overlap(bands)
        keep = self._tail.shape[1]
        whole = torch.nn.functional.pad(whole, (0, max(0, keep - whole.shape[1])))
        whole[:, :keep] += self._tail.to(whole.device)
        done = bands.shape[-1] * self._bank.bands
        self._tail = whole[:, done:]
        return self._drop_early(whole[0, :done].cpu().numpy())

    def finish(self) -> np.ndarray:
        """The samples still held back."""
        return self._drop_early(self._tail[0].cpu().numpy())[: TAPS // 2]

    def _drop_early(self, samples: np.ndarray) -> np.ndarray:
        early = min(self._skip, len(samples))
        self._skip -= early
        return samples[early:]


class WaveNetStream:
    """One utterance being sampled; its random numbers depend on `seed` alone."""

    def __init__(self, decoder: WaveNetDecoder, state, seed: int, temperature: float):
        self._decoder, self.state, self.temperature = decoder, state, float(temperature)
        self._random = np.random.Generator(np.random.Philox(seed))
        self._joiner = BandJoiner(decoder.bank)
        excited = decoder.excitation is not None
        self._walk = PhaseWalk(decoder.bands, decoder.harmonics) if excited else None

    def work(self, told: Frames, steps_per_frame: int) -> Work:
        """What the next frames ask of the sampler."""
        decoder = self._decoder
        with one_thread:
            hidden = decoder.conditioning_gain * told.hidden
            conditioning = to_numpy(decoder.conditioning(hidden)[0])
            predictor = decoder.predictor(told.log_mel, told.f0)
        steps = len(conditioning) * steps_per_frame
        if self._walk is None or decoder.excitation is None:
            inputs = np.zeros((steps, decoder.stack.residual_channels), np.float32)
        else:
            assert told.f0 is not None, "a decoder with excitation follows an F0"
            with one_thread:
                inputs = to_numpy(decoder.excitation(self._walk(told.f0))[0])
        uniforms = self._random.random((steps, decoder.bands), dtype=np.float32)
        return Work(
            state=self.state,
            conditioning=conditioning,
            inputs=inputs,
            coefficients=np.ascontiguousarray(to_numpy(predictor.coefficients[0])),
            full_scale=np.ascontiguousarray(to_numpy(predictor.full_scale[0])),
            lags=predictor.lags[0].cpu().numpy(),
            temperatures=self._heat(told.f0),
            uniforms=uniforms,
        )

    def _heat(self, f0: Tensor | None) -> np.ndarray:
        """The temperatures of the bands in each frame of 10 ms, [n, bands]; [1, bands] for all."""
        decoder = self._decoder
        if not decoder.voiced_temperatures:
            return np.full((1, decoder.bands), self.temperature, np.float32)
        assert f0 is not None, "voiced temperatures follow an F0"
        voiced = to_numpy(f0[0])[:, None] > 0
        factors = np.where(voiced, np.array(decoder.voiced_temperatures), 1.0)
        return (self.temperature * factors).astype(np.float32)

    def join(self, bands: np.ndarray) -> np.ndarray:
        """The next samples of the bands [N, bands] to the samples that are now final, float32."""
        given = torch.from_numpy(bands).t()[None].to(self._decoder.embedding.device)
        with one_thread:
            return self._joiner.add(given)

    def finish(self) -> np.ndarray:
        """The last samples, once all frames are in."""
        return self._joiner.finish()


class WaveNetSampler:
    """A decoder whose weights are packed once, to start streams from."""

    def __init__(self, decoder: WaveNetDecoder, steps_per_frame: int, weights: str = "auto"):
        """weights: "int8", "float32", or the fast one of the device. Raises InputError."""
        self._decoder, self._steps_per_frame = decoder, steps_per_frame
        self._backend = backend_for(decoder, weights, decoder.embedding.device)

    def stream(self, seed: int = 0, temperature: float = 1.0) -> WaveNetStream:
        """A new utterance.

        temperature: 1 samples the model's distribution, less is cleaner and duller, 0 is greedy.
        """
        return WaveNetStream(self._decoder, self._backend.new_state(), seed, temperature)

    def add(self, streams: Sequence[WaveNetStream], told: Sequence[Frames]) -> list[np.ndarray]:
        """The next frames of every stream to the samples that are now final.

        Streams may get different numbers of frames; what each gives is what it would give alone.
        """
        work = [
            one.work(frames, self._steps_per_frame)
            for one, frames in zip(streams, told, strict=True)
        ]
        found = self._backend.sample(work, threads())
        return [one.join(drawn.bands) for one, drawn in zip(streams, found, strict=True)]

    def together(
        self,
        jobs: Iterable[tuple[WaveNetStream, Iterator[Frames]]],
        most: int,
    ) -> Iterator[tuple[int, np.ndarray | None]]:
        """Run jobs, `most` at a time: pairs (number of the job, its next samples; None: its end).

        A job is a new stream and, in blocks, what it is told. The next job begins where one ends.
        """
        waiting = enumerate(jobs)
        running = dict(islice(waiting, most))
        while running:
            blocks: dict[int, Frames] = {}
            for number, (stream, frames) in list(running.items()):
                if (block := next(frames, None)) is not None:
                    blocks[number] = block
                    continue
                del running[number]
                yield number, stream.finish()
                yield number, None
                running.update(islice(waiting, 1))
            if blocks:
                streams = [running[number][0] for number in blocks]
                yield from zip(blocks, self.add(streams, list(blocks.values())), strict=True)
