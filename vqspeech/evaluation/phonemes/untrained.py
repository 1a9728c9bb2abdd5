"""A codec that has learned nothing: what its shape alone gives is the floor for what it learned."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from vqspeech.audio.reading import measure_level, read_blocks
from vqspeech.audio.signal import HighPass
from vqspeech.checkpoint.about import About
from vqspeech.checkpoint.model import Checkpoint
from vqspeech.codec import Codec
from vqspeech.nn.interleaving import by_book
from vqspeech.nn.vqvae import VQVAE


@torch.inference_mode()
def untrained(codec: Codec, paths: Iterable[Path], seed: int) -> Codec:
    """`codec` with random weights, its codebook drawn from what they make of the first 10 s of each
    recording of `paths`, normalised to mean 0 and deviation 1 where the quantizer normalises.

    Only good for encoding. Raises InputError for a recording that cannot be read.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = VQVAE(codec.config, 1).eval().to(codec.device)
    outputs, books = [], model.quantizer.books
    for path in paths:
        wave = HighPass()(
            next(read_blocks(path, quiet=True)) * np.float32(measure_level(path).gain())
        )
        z = model.encoder(torch.from_numpy(wave)[None].to(codec.device))
        outputs.append(z[..., : z.shape[2] // len(books) * len(books)])  # whole turns
    outputs = by_book(torch.cat(outputs, 2), len(books))
    picks = np.random.default_rng(seed).integers(outputs[0].shape[2], size=codec.codebook_size)
    for book, z in zip(books, outputs, strict=True):
        if codec.config.quantizer.normalise:
            book.norm.running_mean.copy_(z.mean((0, 2)))
            book.norm.running_var.copy_(z.var((0, 2)))
        book.codebook.copy_(book.normalised(z[..., torch.from_numpy(picks)])[0].T)
    return Codec(
        Checkpoint(model, About(codec.config, [], {}, ""), codec.folder), codec.device.type
    )
