"""What a step of training is given, what it is to predict, and the terms that it comes to."""

from typing import NamedTuple

from torch import Tensor


class Losses(NamedTuple):
    """Terms of the loss of one batch, each a mean; absent terms are None.

    nats: -log p(x | z_q, speaker) per audio sample. codebook, commitment: equation 3 of the paper.
    mel: L1 of the auxiliary log-mel, in nats. cepstra: of `heads.CepstralDistance`. pitch: of
    `heads.Pitch`. phonemes: nats a frame. usage: [entries] how often each code was chosen.
    perceptual, states: what a teacher says (`nn.teacher`), in deviations of its states. left: [L]
    mean square of what is left above each upper level; upper_usage: [L, entries]. expected: L1 of
    the log-mel that the first level leads to expect of any voice (`nn.levels`), in nats.
    """

    nats: Tensor | None
    codebook: Tensor
    commitment: Tensor
    mel: Tensor | None
    cepstra: Tensor | None
    pitch: Tensor | None
    phonemes: Tensor | None
    usage: Tensor
    perceptual: Tensor | None = None
    states: Tensor | None = None
    left: Tensor | None = None
    upper_usage: Tensor | None = None
    expected: Tensor | None = None


class Batch(NamedTuple):
    """Crops of speech and what is known of them.

    wave: [B, T], T a multiple of hop. speaker: [B] rows. f0: [B, T / 160] in Hz, 0 where unvoiced,
    for a model that predicts pitch. phonemes: [B, F] (`nn.phonemes`), None where not known.
    reference: [B, R], R a multiple of 160: other speech of the same speakers, for a model with a
    speaker encoder; None: of none is it asked.
    """

    wave: Tensor
    speaker: Tensor
    f0: Tensor | None = None
    phonemes: Tensor | None = None
    reference: Tensor | None = None


class Aims(NamedTuple):
    """What is to be predicted of crops: log_mel: [B, mels, T / 160]. f0, phonemes: as in `Batch`,
    but in the voice that is asked for."""

    log_mel: Tensor
    f0: Tensor | None
    phonemes: Tensor | None
