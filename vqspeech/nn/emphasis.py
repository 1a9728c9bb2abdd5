"""A voice made more like itself: further from what the average voice would make of the same codes.

Codes keep something of whose they are, so a conversion stops halfway between two voices. The
conditioning net tells what the identity changes: its log-mel as that speaker less its log-mel as
the average one. That difference, added once more, is to the identity what guidance is to a
condition in Ho and Salimans 2022, "Classifier-free diffusion guidance". Only its smooth shape over
frequency, of formants and tilt: its level, and the harmonics of a pitch, are left as they are.
"""

from torch import Tensor

from vqspeech.nn.cepstra import dct_matrix

SMOOTHEST, FINEST = 1, 12
"""First and last + 1 of the cepstra that are emphasised; number 0 is the level."""


def emphasised(own: Tensor, average: Tensor, strength: float) -> Tensor:
    """A log-mel [..., mels, n] further from that of the average voice, `strength` times their
    difference."""
    shapes = dct_matrix(own.shape[-2], FINEST)[SMOOTHEST:].to(own)
    cepstra = shapes @ (own - average)
    return own + strength * (shapes.T @ cepstra)


def average_voice(vectors: Tensor) -> Tensor:
    """Speaker vectors [N, S] to the average one's [1, S]."""
    return vectors.detach().mean(0, keepdim=True)
