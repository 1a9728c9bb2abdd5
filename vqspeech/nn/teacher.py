"""A teacher: the frozen encoder of a recogniser, which tells codes what of speech makes words.

A log-mel error counts a band like any other; a network that has learned to write down what it hears
does not. So its states of the predicted log-mel are to be those of the true one (a perceptual loss:
Johnson et al. 2016, with a network that hears), and its last states are to be read from the codes
(`heads.StateHead`: Zhang et al. 2024, "SpeechTokenizer", section 3.2). It serves in training alone.

The log-mel is Whisper's (Radford et al. 2023, section 2.2) but for the window's 512 points instead
of 400 and an offset, which its states hardly mind.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RANGE = 8.0
"""Of its features: log10 of power, not more than this below a recording's maximum."""
LEAST = 1e-3
"""Deviation of a state that never changes."""


class Taught(NamedTuple):
    """What a teacher says of a batch; None: not asked for.

    perceptual: L1 of its states of the predicted and of the true log-mel, over their deviation.
    states: [B, n, width], its last ones of the true log-mel, of mean zero and deviation one.
    """

    perceptual: Tensor | None
    states: Tensor | None


class Ears(nn.Module):
    """A `WhisperEncoder` of `transformers`, frozen, for log-mels of any even number of frames.

    mean, deviation: [width], of its states (`fit`).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, encoder: Any):
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(False)
        self._positions = encoder.embed_positions.weight.detach().clone()
        self.register_buffer("mean", torch.zeros(self._positions.shape[1]))
        self.register_buffer("deviation", torch.ones(self._positions.shape[1]))

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, mels, n], n even, to states [B, n / 2, width]."""
        self._set_length(features.shape[-1] // 2)
        return self.encoder(features).last_hidden_state

    def _set_length(self, states: int) -> None:
        """The library's encoder takes inputs of one length, by its number of positions."""
        encoder = self.encoder
        if encoder.config.max_source_positions != states:
            weights = self._positions[:states].to(encoder.embed_positions.weight.device)
            encoder.embed_positions = nn.Embedding.from_pretrained(weights)
            encoder.config.max_source_positions = states

    def fit(self, states: Tensor) -> None:
        """Take mean and deviation of each state from `states` [B, n, width]."""
        flat = states.float().flatten(0, 1)
        self.mean.copy_(flat.mean(0))
        self.deviation.copy_(flat.std(0).clamp_min(LEAST))

    def scaled(self, states: Tensor) -> Tensor:
        """States [B, n, width] as float32 of mean zero and deviation one."""
        return (states.float() - self.mean) / self.deviation


class Teacher(nn.Module):
    """Judges log-mels: natural log of mel magnitudes, [B, mels, n], a frame every 10 ms.

    first: its first layers, for the perceptual term. whole: all of it, for the states. None: that
    term is not asked for.
    """

    def __init__(self, first: Ears | None, whole: Ears | None):
        super().__init__()
        self.first, self.whole = first, whole

    def forward(self, predicted: Tensor, true: Tensor) -> Taught:
        """predicted: the gradient goes into it, and into nothing else."""
        perceptual = states = None
        with torch.no_grad():
            top = loudest(true)
            heard = features(true, top)
            if self.whole is not None:
                states = self.whole.scaled(self.whole(heard))
            wanted = None if self.first is None else self.first(heard).float()
        if self.first is not None:
            found = self.first(features(predicted, top)).float()
            perceptual = ((found - wanted) / self.first.deviation).abs().mean()
        return Taught(perceptual, states)

    @torch.no_grad()
    def fit(self, true: Tensor) -> None:
        """Take mean and deviation of the states from log-mels of speech."""
        heard = features(true, loudest(true))
        for ears in (self.first, self.whole):
            if ears is not None:
                ears.fit(ears(heard))

    def in_bfloat16(self) -> "Teacher":
        """Its products in half of the memory, for bfloat16's autocast; sums stay in float32."""
        for part in self.modules():
            if isinstance(part, nn.Linear | nn.Conv1d):
                part.to(torch.bfloat16)
        return self


def loudest(log_mel: Tensor) -> Tensor:
    """The maximum of each recording: [B, 1, 1]."""
    return log_mel.amax((1, 2), keepdim=True)


def features(log_mel: Tensor, top: Tensor) -> Tensor:
    """Log-mels [B, mels, n], `top` their maxima, as Whisper's encoder takes them.

    An odd last frame is repeated.
    """
    power = torch.maximum(log_mel.float(), top - RANGE * math.log(10) / 2) * (2 / math.log(10))
    return F.pad((power + 4) / 4, (0, log_mel.shape[-1] % 2), mode="replicate")
