"""Encoding in chunks: a waveform of any length in bounded memory, with the codes of the whole."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from vqspeech.audio.signal import SAMPLE_RATE, frames_for
from vqspeech.config.model import Config
from vqspeech.nn.vqvae import VQVAE

CHUNK_SECONDS = 30.0
"""Speech encoded at once, at most; the codes are those of the whole, whatever this is."""
RAW_CHUNK_SECONDS = 4.0
"""The same of an encoder that convolves samples: of half a minute, its first layers are more than a
gigabyte, and slower."""


class Chunk(NamedTuple):
    """Samples with what comes before and after them: float32 [N], and which of its frames are its
    own."""

    wave: np.ndarray
    own: slice


class Chunks:
    """Waveform blocks in, chunks out, each with real context to either side.

    context_frames: so many at least. least_seconds: of speech that is worth a chunk; what comes
    faster makes longer ones, of most_seconds at most.
    """

    def __init__(
        self, config: Config, context_frames: int, least_seconds: float, most_seconds: float
    ):
        self._hop = config.hop
        # Chunks begin, as the whole does, with the first codebook's turn.
        self._books = books = config.quantizer.codebooks
        self._context = frames_for(context_frames, books) * books
        self._least, self._most = (
            max(1, round(seconds * SAMPLE_RATE / self._hop / books)) * books
            for seconds in (min(least_seconds, most_seconds), most_seconds)
        )
        self._held, self._new, self._samples = np.zeros(0, np.float32), [], 0
        self._done = 0  # frames at the front of `held` that are encoded and only context now

    def add(self, block: np.ndarray) -> Iterator[Chunk]:
        """The next samples [N]; the chunks that are now complete."""
        self._new.append(block)
        self._samples += len(block)
        while (known := self._samples // self._hop - self._done - self._context) >= self._least:
            self._gather()
            size = min(known // self._books * self._books, self._most)
            end = (self._done + size + self._context) * self._hop
            yield Chunk(self._held[:end], slice(self._done, self._done + size))
            drop = max(0, self._done + size - self._context)
            self._held = self._held[drop * self._hop :]
            self._samples = len(self._held)
            self._done += size - drop

    def finish(self) -> Iterator[Chunk]:
        """What is left."""
        self._gather()
        if frames_for(len(self._held), self._hop) > self._done:
            yield Chunk(self._held, slice(self._done, None))

    def of(self, blocks: Iterable[np.ndarray]) -> Iterator[Chunk]:
        """Those of a whole recording, as its blocks come."""
        for block in blocks:
            yield from self.add(block)
        yield from self.finish()

    def _gather(self) -> None:
        self._held, self._new = np.concatenate([self._held, *self._new]), []


class ChunkEncoder:
    """Waveform blocks in, code indices out: equal to encoding the whole at once.

    Every chunk is encoded with as much real context as its frames can depend on.
    """

    def __init__(self, model: VQVAE, least_seconds: float = CHUNK_SECONDS, levels: int = 1):
        """least_seconds: of speech that is worth a chunk. levels: codes of a frame."""
        self._model, self._levels = model, levels
        strided = model.config.encoder.kind == "strided"
        most_seconds = RAW_CHUNK_SECONDS if strided else CHUNK_SECONDS
        context = model.context_frames(levels)
        self._chunks = Chunks(model.config, context, least_seconds, most_seconds)

    def add(self, block: np.ndarray) -> list[np.ndarray]:
        """The next samples [N]; returns the indices that are now known: [F] each, or [levels, F] of
        several."""
        return [self._encode(chunk) for chunk in self._chunks.add(block)]

    def finish(self) -> list[np.ndarray]:
        """Indices of what is left."""
        return [self._encode(chunk) for chunk in self._chunks.finish()]

    @torch.inference_mode()
    def _encode(self, chunk: Chunk) -> np.ndarray:
        device = self._model.speakers.weight.device
        samples = torch.from_numpy(chunk.wave)[None].to(device)
        indices = self._model.encode(samples, levels=self._levels)[0, ..., chunk.own]
        return indices.cpu().numpy()
