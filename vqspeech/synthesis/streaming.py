"""Encoding in chunks: a waveform of any length in bounded memory, with the codes of the whole."""

import numpy as np
import torch

from vqspeech.audio.signal import SAMPLE_RATE, frames_for
from vqspeech.nn.vqvae import VQVAE

CHUNK_SECONDS = 30.0
"""Speech encoded at once, at most; the codes are those of the whole, whatever this is."""
RAW_CHUNK_SECONDS = 4.0
"""The same of an encoder that convolves samples: of half a minute, its first layers are more than a
gigabyte, and slower."""


class ChunkEncoder:
    """Waveform blocks in, code indices out: equal to encoding the whole at once.

    Every chunk is encoded with as much real context as its frames can depend on.
    """

    def __init__(self, model: VQVAE, least_seconds: float = CHUNK_SECONDS, levels: int = 1):
        """least_seconds: of speech that is worth a chunk; what comes faster makes longer ones.
        levels: codes of a frame."""
        self._model, self._hop, self._levels = model, model.config.hop, levels
        # Chunks begin, as the whole does, with the first codebook's turn.
        self._books = books = model.config.quantizer.codebooks
        self._context = frames_for(model.context_frames(levels), books) * books
        most_seconds = CHUNK_SECONDS
        if model.config.encoder.kind == "strided":
            most_seconds = min(most_seconds, RAW_CHUNK_SECONDS)
        self._least, self._most = (
            max(1, round(seconds * SAMPLE_RATE / self._hop / books)) * books
            for seconds in (min(least_seconds, most_seconds), most_seconds)
        )
        self._held, self._new, self._samples = np.zeros(0, np.float32), [], 0
        self._done = 0  # frames at the front of `held` that are encoded and only context now

    def add(self, block: np.ndarray) -> list[np.ndarray]:
        """The next samples [N]; returns the indices that are now known: [F] each, or [levels, F] of
        several."""
        self._new.append(block)
        self._samples += len(block)
        out = []
        while (known := self._samples // self._hop - self._done - self._context) >= self._least:
            self._gather()
            size = min(known // self._books * self._books, self._most)
            end = (self._done + size + self._context) * self._hop
            out.append(self._encode(self._held[:end])[..., self._done : self._done + size])
            drop = max(0, self._done + size - self._context)
            self._held = self._held[drop * self._hop :]
            self._samples = len(self._held)
            self._done += size - drop
        return out

    def finish(self) -> list[np.ndarray]:
        """Indices of what is left."""
        self._gather()
        if frames_for(len(self._held), self._hop) <= self._done:
            return []
        return [self._encode(self._held)[..., self._done :]]

    def _gather(self) -> None:
        self._held, self._new = np.concatenate([self._held, *self._new]), []

    @torch.inference_mode()
    def _encode(self, wave: np.ndarray) -> np.ndarray:
        device = self._model.speakers.weight.device
        samples = torch.from_numpy(wave)[None].to(device)
        return self._model.encode(samples, levels=self._levels)[0].cpu().numpy()
