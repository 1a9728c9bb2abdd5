"""Crops of noise, with all that a model may ask for beside them."""

import torch

from vqspeech.nn.batch import Batch


def batch_of(config, count=3, frames=20):
    samples = frames * config.hop
    return Batch(
        0.1 * torch.randn(count, samples),
        torch.arange(count) % 2,
        torch.full((count, samples // 160), 120.0),
        reference=0.1 * torch.randn(count, config.reference_samples),
    )
