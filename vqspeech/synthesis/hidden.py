"""Codes and voices to the hidden frames that the WaveNet sees, and what is predicted from them."""

from collections.abc import Iterator
from itertools import count
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch

from vqspeech.codes.codes import Codes
from vqspeech.nn.guidance import guided
from vqspeech.nn.surroundings import one_thread
from vqspeech.sampling.stream import Frames
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.options import NO_CHANGE, Change
from vqspeech.synthesis.source import CodeSource

PITCH_SECONDS, PIECE_SECONDS = 60.0, 0.25
"""Of a recording, from which its median F0 is taken; so much of it at a time."""


Told = TypeVar("Told", Codes, CodeSource)


class Spoken(NamedTuple, Generic[Told]):
    """What is to be heard: codes, in the voice of `vector` [1, S], with what a conversion adds."""

    codes: Told
    vector: torch.Tensor
    change: Change = NO_CHANGE


class HiddenFrames:
    """The conditioning net of a model, run piece by piece: equal to a run over all frames."""

    def __init__(self, loaded: LoadedModel):
        self._loaded = loaded

    @torch.inference_mode()
    def pieces(self, spoken: Spoken, frames: int, with_mel: bool = True) -> Iterator[Frames]:
        """What is predicted of `frames` code frames at a time, as soon as the codes have come.

        None for what the model does not predict or nobody asked for. With speaker guidance the
        log-mel of the average voice is predicted beside.
        """
        codes, voices, change = spoken
        if with_mel and change.guidance:
            average = self._loaded.model.speakers.weight.mean(0, keepdim=True)
            voices = torch.cat([voices, average])
        for hidden in self._hidden(CodeSource.of(codes), voices, frames):
            with one_thread:
                predicted = self._predicted(hidden, change, with_mel)
            yield predicted

    def _predicted(self, hidden: torch.Tensor, change: Change, with_mel: bool) -> Frames:
        """What hidden frames [N, H, F] predict; those of the average voice come second."""
        conditioning, f0, log_mel = self._loaded.model.conditioning, None, None
        own = hidden[:1]
        if self._loaded.predicts_pitch:
            f0 = conditioning.pitch(own).f0() * 2 ** (change.semitones / 12)
        if with_mel:
            found = conditioning.log_mel(hidden)
            log_mel = guided(found[:1], found[1:], change.guidance) if change.guidance else found
        return Frames(own, f0, log_mel)

    def _hidden(
        self, source: CodeSource, voices: torch.Tensor, frames: int
    ) -> Iterator[torch.Tensor]:
        """Hidden frames [N, H, <= frames] of N voices [N, S]."""
        model, books = self._loaded.model, self._loaded.config.quantizer.codebooks
        context = model.conditioning.context_frames
        for start in count(0, frames):
            left = max(0, start - context) // books * books  # the first codebook's turn
            indices = source.window(left, start + frames + context)
            if source.frames <= start:
                return
            self._loaded.check_levels(source.levels or 1)
            part = torch.from_numpy(indices.astype(np.int64))[None].to(self._loaded.device)
            with one_thread:
                hidden = model.hidden(part, voices)
            yield hidden[..., start - left : start - left + frames]

    def median_f0(self, codes: Codes, vector: torch.Tensor) -> float:
        """Median F0 in Hz that the codes' first minute has in the voice of `vector` [1, S].

        NaN where no voice is predicted, or the model predicts no pitch.
        """
        if not self._loaded.predicts_pitch:
            return float("nan")
        frames = self._loaded.frames(PITCH_SECONDS)
        start = Spoken(codes[:frames], vector)
        found = self.pieces(start, self._loaded.frames(PIECE_SECONDS), with_mel=False)
        f0 = torch.cat([piece.f0[0] for piece in found if piece.f0 is not None])
        return float(f0[f0 > 0].median()) if bool((f0 > 0).any()) else float("nan")
