"""Encoding in chunks: a waveform of any length in bounded memory, with the codes of the whole."""

import numpy as np
import torch

from vqspeech.audio.signal import SAMPLE_RATE, frames_for
from vqspeech.nn.vqvae import VQVAE

CHUNK_SECONDS = 30.0
"""Speech encoded at once; the codes are those of the whole, whatever this is."""


class ChunkEncoder:
    """Waveform blocks in, code indices out: equal to encoding the whole at once.

    Every chunk is encoded with as much real context as its frames can depend on.
    """

    def __init__(self, model: VQVAE):
        self._model, self._hop = model, model.config.hop
        # Chunks begin, as the whole does, with the first codebook's turn.
        books = model.config.quantizer.codebooks
        self._context = frames_for(model.encoder.context_frames, books) * books
        self._size = max(1, round(CHUNK_SECONDS * SAMPLE_RATE / self._hop / books)) * books
        self._held = np.zeros(0, np.float32)
        self._done = 0  # frames at the front of `held` that are encoded and only context now

    def add(self, block: np.ndarray) -> list[np.ndarray]:
        """The next samples [N]; returns the indices, [F] each, that are now known."""
        self._held = np.concatenate([self._held, block])
        out = []
        while len(self._held) >= (self._done + self._size + self._context) * self._hop:
            end = (self._done + self._size + self._context) * self._hop
            out.append(self._encode(self._held[:end])[self._done : self._done + self._size])
            drop = max(0, self._done + self._size - self._context)
            self._held = self._held[drop * self._hop :]
            self._done += self._size - drop
        return out

    def finish(self) -> list[np.ndarray]:
        """Indices of what is left."""
        if frames_for(len(self._held), self._hop) <= self._done:
            return []
        return [self._encode(self._held)[self._done :]]

    @torch.inference_mode()
    def _encode(self, wave: np.ndarray) -> np.ndarray:
        device = self._model.speakers.weight.device
        return self._model.encode(torch.from_numpy(wave)[None].to(device))[0].cpu().numpy()
