"""Tables of vectors, drawn from a normal distribution."""

import torch
from torch import nn


def embedding(rows: int, width: int, deviation: float) -> nn.Embedding:
    """An embedding [rows, width]; on the meta device, where only its shape is wanted, undrawn:
    there arithmetic imports PyTorch's compiler, which takes seconds."""
    vectors = torch.empty(rows, width)
    if not vectors.is_meta:
        nn.init.normal_(vectors, std=deviation)
    return nn.Embedding.from_pretrained(vectors, freeze=False)
