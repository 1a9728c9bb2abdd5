"""Noise, and a codec of random weights that tells one noise from another."""

import numpy as np
import torch

from vqspeech import Codec
from vqspeech.audio.level import level_gain


def noise(samples, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def with_codes_in_use(folder):
    """The model with codes drawn from its own outputs, so that every code is in use, and with a
    decoder that heeds them."""
    codec = Codec.from_pretrained(folder, device="cpu")
    quantizer = codec.model.quantizer
    with torch.no_grad():
        level = noise(16_000) * np.float32(level_gain(noise(16_000)))
        z = quantizer.normalised(codec.model.encoder(torch.from_numpy(level)[None]))[0]
        for number, book in enumerate(quantizer.books):
            book.codebook.copy_(z[:, [n + number for n in (10, 20, 30, 40)]].t())
        codec.model.conditioning.stem.linear.weight.mul_(20)
        codec.model.decoder.condition.weight.mul_(20)
    return codec
