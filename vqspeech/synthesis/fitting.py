"""Fitting a speaker vector to speech, all else of the model frozen: what every fit minimises."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch.optim.adam import adam

from vqspeech.audio.pitch import f0_frames
from vqspeech.synthesis.loaded import LoadedModel

_ADAM = {
    "amsgrad": False,
    "beta1": 0.9,
    "beta2": 0.999,
    "weight_decay": 0.0,
    "eps": 1e-8,
    "maximize": False,
}
"""The defaults of PyTorch's class; its function has none."""


class Pieces(NamedTuple):
    """Equal pieces of speech: wave [P, N] as the encoder is given it, its codes [P, F] or [P,
    levels, F], log_mel [P, mels, n], f0 [P, n] in Hz or, of a model that predicts no pitch,
    None."""

    wave: torch.Tensor
    codes: torch.Tensor
    log_mel: torch.Tensor
    f0: torch.Tensor | None

    def of(self, rows: torch.Tensor | slice) -> "Pieces":
        """Some of them: rows [n], whole numbers or bool."""
        f0 = None if self.f0 is None else self.f0[rows]
        return Pieces(self.wave[rows], self.codes[rows], self.log_mel[rows], f0)

    def and_also(self, others: "Pieces") -> "Pieces":
        """Both, of as many levels."""
        f0 = None
        if self.f0 is not None and others.f0 is not None:
            f0 = torch.cat([self.f0, others.f0])
        both = zip(self[:3], others[:3], strict=True)
        return Pieces(*(torch.cat(pair) for pair in both), f0=f0)


@torch.no_grad()
def pieces_of(
    loaded: LoadedModel, waves: np.ndarray, levels: int = 1, codes: torch.Tensor | None = None
) -> Pieces:
    """Levelled pieces float32 [P, N], N a multiple of the hop, with what a fit wants of them.
    levels: codes of a frame. codes: theirs, int64 [P, F] or [P, levels, F]; None: they are encoded,
    each by itself."""
    model, wave = loaded.model, torch.from_numpy(waves).to(loaded.device)
    if codes is None:
        codes = torch.cat([model.encode(part[None], levels=levels) for part in wave])
    f0 = None
    if loaded.predicts_pitch:
        f0 = torch.from_numpy(np.stack([f0_frames(piece) for piece in waves])).to(loaded.device)
    return Pieces(wave, codes, model.target_mel(wave), f0)


def hidden(loaded: LoadedModel, pieces: Pieces, vector: torch.Tensor) -> torch.Tensor:
    """What a vector [1, S] makes of the pieces' codes: [P, H, F]."""
    return loaded.model.hidden(pieces.codes, vector.expand(len(pieces.codes), -1))


def mel_and_pitch(loaded: LoadedModel, pieces: Pieces, vector: torch.Tensor) -> torch.Tensor:
    """The error of what a vector [1, S] says: L1 of the log-mel, and the voice's pitch, whose range
    is part of who it is."""
    conditioning, said = loaded.model.conditioning, hidden(loaded, pieces, vector)
    error = F.l1_loss(conditioning.log_mel(said), pieces.log_mel)
    if pieces.f0 is None:
        return error
    weight = loaded.config.training.pitch_weight
    return error + weight * conditioning.pitch(said).loss(pieces.f0)


def descend(
    vector: torch.Tensor,
    error: Callable[[torch.Tensor], torch.Tensor],
    steps: int,
    rate: float,
    told: Callable[[int], object] = lambda step: None,
) -> torch.Tensor:
    """A vector [1, S] after `steps` of Adam, whose rate falls to zero as a cosine: [1, S].

    error: of a vector, a scalar. told: called with the steps done. Gradients go into the vector and
    into nothing else, so that threads can share a model.
    """
    with torch.inference_mode(False), torch.enable_grad():
        moved = vector.detach().clone().requires_grad_(True)
        mean, square, done = torch.zeros_like(vector), torch.zeros_like(vector), torch.tensor(0.0)
        state = ([mean], [square], [], [done])
        for step in range(steps):
            (gradient,) = torch.autograd.grad(error(moved), moved)
            with torch.no_grad():  # the class would load torch.compile first: more than a second
                lr = rate * (1 + math.cos(math.pi * step / steps)) / 2
                adam([moved], [gradient], *state, **_ADAM, lr=lr)
            told(step + 1)
    return moved.detach()
