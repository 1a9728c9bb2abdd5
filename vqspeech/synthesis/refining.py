"""A heard voice made more like itself: the speaker encoder's vector, moved by a few steps of
gradient descent until it explains the speech that it was heard in.

The speaker encoder has learned from some hundreds of people; what is new in a voice it only comes
near to. The vector has few values, so some seconds of speech tell them without being learned by
heart.
"""

from itertools import cycle
from typing import NamedTuple

import numpy as np
import torch

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.nn.speaker_encoder import is_speech
from vqspeech.nn.surroundings import one_thread
from vqspeech.synthesis.fitting import descend, mel_and_pitch, pieces_of
from vqspeech.synthesis.loaded import LoadedModel

PIECE_SECONDS, MOST_PIECES = 2.0, 5
"""Of speech that the vector is fitted to: those pieces that have most of it."""
STEPS, AT_ONCE, RATE = 20, 2, 0.05
"""Steps; pieces that each of them sees, in turn, which comes as near as all and takes less time."""


class _Piece(NamedTuple):
    """wave: float32 [N]. start: in samples of what has come. speech: how many of its frames are
    speech, of FILTER_BANK_HOP samples."""

    wave: np.ndarray
    start: int
    speech: int


class Refiner:
    """Levelled blocks of a recording in, what moves a vector towards its voice out; in bounded
    memory.

    levels: codes of a frame that the voice is to be decoded with: what they leave to it is less,
    the more they are.
    """

    def __init__(self, loaded: LoadedModel, levels: int = 1):
        self._loaded, self._levels = loaded, levels
        self._turn = loaded.config.hop * loaded.config.quantizer.codebooks
        self._size = max(1, round(PIECE_SECONDS * SAMPLE_RATE) // self._turn) * self._turn
        self._held, self._samples, self._taken = [], 0, 0
        self._best: list[_Piece] = []

    def add(self, block: np.ndarray) -> None:
        """The next samples [N] at 16 kHz, as the encoder is given them."""
        self._held.append(block)
        self._samples += len(block)
        if self._samples < self._size:
            return
        wave = np.concatenate(self._held)
        while len(wave) >= self._size:
            self._best.append(self._piece(wave[: self._size], self._taken))
            wave = wave[self._size :]
            self._taken += self._size
            if len(self._best) > MOST_PIECES:
                least = min(one.speech for one in self._best)
                last = max(i for i, one in enumerate(self._best) if one.speech == least)
                del self._best[last]
        self._held, self._samples = [wave.copy()], len(wave)

    @torch.inference_mode()
    def _piece(self, wave: np.ndarray, start: int) -> _Piece:
        samples = torch.from_numpy(wave)[None].to(self._loaded.device)
        with one_thread:
            speech = is_speech(self._loaded.model.target_mel(samples)).sum()
        return _Piece(wave.copy(), start, int(speech))

    def refined(self, vector: np.ndarray, indices: np.ndarray | None = None) -> np.ndarray:
        """`vector` [S] moved towards the voice of what has come: float32 [S].

        indices: the codes of the recording, [F] or [levels, F], that it is to be decoded with;
        None: the nearest. The vector stays as it is where no speech has come, or less than a turn
        of all codebooks, or the model predicts no log-mel.
        """
        pieces = self._best
        if not pieces and (size := self._samples // self._turn * self._turn):
            pieces = [self._piece(np.concatenate(self._held)[:size], 0)]
        pieces = [one for one in pieces if one.speech]
        if not pieces or not self._loaded.predicts_mel:
            return vector
        waves = [one.wave for one in pieces]
        with one_thread:  # so that it depends on nothing else
            codes = None if indices is None else self._codes_of(pieces, indices)
            fitted = pieces_of(self._loaded, np.stack(waves), self._levels, codes)
            turns = cycle(range(len(waves)))

            def error(moved: torch.Tensor) -> torch.Tensor:
                some = [next(turns) for _ in waves[:AT_ONCE]]
                part = fitted.of(torch.tensor(some, device=moved.device))
                return mel_and_pitch(self._loaded, part, moved)

            found = torch.from_numpy(vector)[None].to(self._loaded.device)
            return descend(found, error, STEPS, RATE)[0].cpu().numpy()

    def _codes_of(self, pieces: list[_Piece], indices: np.ndarray) -> torch.Tensor:
        """The pieces' share of a recording's codes: int64 [P, F] or [P, levels, F]."""
        hop = self._loaded.config.hop
        spans = [(one.start // hop, (one.start + len(one.wave)) // hop) for one in pieces]
        own = np.stack([indices[..., first:last] for first, last in spans])
        return torch.from_numpy(own.astype(np.int64)).to(self._loaded.device)
