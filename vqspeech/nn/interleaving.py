"""Codebooks that take turns: frame n is of the one of number n mod `books`.

With one, as in the paper, every frame has the same job and says much that its neighbours say too;
with two, the frames of a pair share theirs out. `InterleavedQuantizer` wraps plain quantizers;
layers before and after it have weights of their own for each book (`spread`, `picked`). With one
book all of it changes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config.networks import QuantizerConfig
from vqspeech.nn.quantizer import Quantized, VectorQuantizer


def by_book(x: Tensor, books: int) -> list[Tensor]:
    """[..., F] to each book's frames: [..., ceil(F / books)] or, at the end, one fewer."""
    return [x[..., book::books] for book in range(books)]


def in_turn(parts: Sequence[Tensor]) -> Tensor:
    """The inverse of `by_book`: [..., F]."""
    longest, frames = parts[0].shape[-1], sum(part.shape[-1] for part in parts)
    padded = [F.pad(part, (0, longest - part.shape[-1])) for part in parts]
    return torch.stack(padded, -1).flatten(-2)[..., :frames]


class InterleavedQuantizer(nn.Module):
    """P quantizers of K codes in turn, each with a codebook and statistics of its own."""

    books: Any  # a list of `VectorQuantizer`; PyTorch's type does not say of what

    def __init__(self, config: QuantizerConfig):
        super().__init__()
        self.config = config
        self.books = nn.ModuleList(VectorQuantizer(config) for _ in range(config.codebooks))

    @property
    def codebook(self) -> Tensor:
        """The codes of all books, one book's after the other's: [P * K, D]."""
        return torch.cat([book.codebook for book in self.books])

    @property
    def initialised(self) -> bool:
        """Whether the codes were once drawn from encoder outputs."""
        return all(bool(book.initialised) for book in self.books)

    def dead_codes(self) -> int:
        """Codes, of all books, whose moving count is below the revival threshold."""
        return sum(int(book.dead_codes().sum()) for book in self.books)

    def rows(self, indices: Tensor) -> Tensor:
        """Indices [B, F] of frames from a recording's first on, to rows of `codebook`."""
        return self.config.rows(indices, torch.arange(indices.shape[1], device=indices.device))

    def normalised(self, z_e: Tensor) -> Tensor:
        """z_e [B, D, F] scaled as the codes are: float32 [B, D, F]."""
        return in_turn([book.normalised(z) for book, z in self._each(z_e)])

    def encode(self, z_e: Tensor) -> Tensor:
        """z_e [B, D, F], from a recording's first frame on, to indices [B, F], without gradients or
        statistics."""
        return in_turn([book.encode(z) for book, z in self._each(z_e)])

    def nearest_few(self, z_e: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """The `number` codes nearest to each frame of z_e [B, D, F], of its book: squared distances
        and indices, [B, number, F] both."""
        found = [book.nearest_few(z, number) for book, z in self._each(z_e)]
        distances, indices = zip(*found, strict=True)
        return in_turn(distances), in_turn(indices)

    def encode_with_ties(self, z_e: Tensor) -> tuple[Tensor, Tensor]:
        """`encode`, and where another code is as near: int64 and bool, [B, F] both."""
        found = [book.encode_with_ties(z) for book, z in self._each(z_e)]
        indices, ties = zip(*found, strict=True)
        return in_turn(indices), in_turn(ties)

    def lookup(self, indices: Tensor) -> Tensor:
        """indices [B, F] to z_q [B, D, F]."""
        return in_turn([book.lookup(own) for book, own in self._each(indices)])

    def forward(self, z_e: Tensor) -> Quantized:
        """As `VectorQuantizer`, each frame by its book; losses are means over the books, `usage` is
        [P * K]. z_e: [B, D, F], F a multiple of P."""
        z_q, indices, codebook, commitment, usage = zip(
            *(book(z) for book, z in self._each(z_e)), strict=True
        )
        losses = torch.stack(codebook).mean(), torch.stack(commitment).mean()
        frames = in_turn(z_q), in_turn(indices)
        return Quantized(*frames, *losses, torch.cat(usage))

    def _each(self, x: Tensor) -> Iterator[tuple[VectorQuantizer, Tensor]]:
        """Each book with its frames of x [..., F]."""
        return zip(self.books, by_book(x, len(self.books)), strict=True)


def tied_groups(ties: Tensor, books: int) -> list[list[int]]:
    """Row and number of each group, a turn of all books, in which ties [B, levels, F] are."""
    groups = ties.any(1).nonzero()
    groups[:, 1] //= books
    return groups.unique(dim=0).tolist()


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
