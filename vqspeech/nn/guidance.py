"""Speaker guidance: a voice further from what the average voice would make of the same codes.

Codes keep something of whose they are, so a conversion stops halfway between two voices. The
conditioning net tells what the identity changes: its log-mel as that speaker less its log-mel as
the average one. That difference, added once more, is to the identity what guidance is to a
condition in Ho and Salimans 2022, "Classifier-free diffusion guidance". Only its smooth shape over
frequency, of formants and tilt: its level, and the harmonics of a pitch, are left as they are.
"""

from functools import lru_cache

from torch import Tensor

from vqspeech.nn.cosines import dct_matrix

FIRST, LAST = 1, 11
"""Of the cepstra that are guided; number 0 is the level, later ones are harmonics."""


@lru_cache(maxsize=4)
def _smoothing(bands: int) -> Tensor:
    """What takes a log-mel to the part of it that those cepstra say: [bands, bands]."""
    shapes = dct_matrix(bands, LAST + 1)[FIRST:]
    return shapes.T @ shapes


def guided(own: Tensor, average: Tensor, strength: float) -> Tensor:
    """A log-mel [..., mels, n] further from that of the average voice, `strength` times their
    difference."""
    return own + strength * (_smoothing(own.shape[-2]).to(own) @ (own - average))
