"""Frames that take several codebooks in turn, frame n the one of number n mod `books`.

What differs from book to book (statistics, first and last weights) is laid out here: beside one
another as channels, so that an ordinary layer does the rest. With one book all of it changes
nothing.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def by_book(x: Tensor, books: int) -> Tensor:
    """[B, C, F] to [B, books * C, ceil(F / books)]: book 0's channels first, zeros at the end."""
    x = F.pad(x, (0, -x.shape[2] % books))
    return x.unflatten(2, (-1, books)).permute(0, 3, 1, 2).flatten(1, 2)


def in_turn(x: Tensor, books: int, frames: int) -> Tensor:
    """The inverse of `by_book`: [B, books * C, N] to the first `frames` of [B, C, N * books]."""
    return x.unflatten(1, (books, -1)).permute(0, 2, 3, 1).flatten(2)[..., :frames]


def turns(frames: int, books: int, device: torch.device) -> Tensor:
    """Whose turn it is, from 0: int64 [frames]."""
    return torch.arange(frames, device=device) % books


def spread(x: Tensor, books: int) -> Tensor:
    """[B, F, C] to [B, F, books * C]: each frame's values in its book's channels, zero in others.

    So the layer that reads them has weights of its own for each book.
    """
    if books == 1:
        return x
    return (x[:, :, None] * _own(x, books)).flatten(2)


def picked(x: Tensor, books: int) -> Tensor:
    """[B, F, books * C] to [B, F, C]: of what a layer says for every book, each frame's own."""
    if books == 1:
        return x
    return (x.unflatten(2, (books, -1)) * _own(x, books)).sum(2)


def _own(x: Tensor, books: int) -> Tensor:
    """[F, books, 1]: one at each frame's own book."""
    return F.one_hot(turns(x.shape[1], books, x.device), books)[..., None].to(x.dtype)
