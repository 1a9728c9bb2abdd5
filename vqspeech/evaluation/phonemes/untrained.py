"""An untrained encoder: what its shape alone gives is the floor for what a model learns."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vqspeech.audio.reading import measure_level, read_blocks
from vqspeech.config.model import Config
from vqspeech.nn.interleaving import by_book
from vqspeech.nn.vqvae import VQVAE
from vqspeech.synthesis.levelling import levelled_blocks
from vqspeech.synthesis.streaming import ChunkEncoder


@torch.inference_mode()
def untrained(config: Config, paths: Iterable[Path], seed: int, device: torch.device) -> VQVAE:
    """Random weights, the codebook drawn from what they make of the first 10 s of each recording of
    `paths`, normalised to mean 0 and deviation 1 where the quantizer normalises.

    Only good for encoding. Raises InputError for a recording that cannot be read.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = VQVAE(config, 1).eval().to(device)
    outputs, books = [], list[Any](model.quantizer.books)  # buffers have no types
    for path in paths:
        z = model.encoder(torch.from_numpy(next(_levelled(path)))[None].to(device))
        outputs.append(z[..., : z.shape[2] // len(books) * len(books)])  # whole turns
    outputs = by_book(torch.cat(outputs, 2), len(books))
    size = config.quantizer.codebook_size
    picks = np.random.default_rng(seed).integers(outputs[0].shape[2], size=size)
    for book, z in zip(books, outputs, strict=True):
        if config.quantizer.normalise:
            book.norm.running_mean.copy_(z.mean((0, 2)))
            book.norm.running_var.copy_(z.var((0, 2)))
        book.codebook.copy_(book.normalised(z[..., torch.from_numpy(picks)])[0].T)
    return model


def encoded(model: VQVAE, path: Path) -> np.ndarray:
    """The codes [F] that a model has for a recording. Raises InputError."""
    chunks = ChunkEncoder(model)
    found = [codes for block in _levelled(path) for codes in chunks.add(block)]
    return np.concatenate(found + chunks.finish())


def _levelled(path: Path) -> Iterator[np.ndarray]:
    return levelled_blocks(read_blocks(path, quiet=True), measure_level(path).gain())
