"""Upper levels: further codes say what the first ones do not let expect of the log-mel.

The encoder of the first level was trained for its few bits: even unquantised its z_e lacks what
higher rates have room for. So these levels leave it alone. A small network says which log-mel the
first level's codes lead to expect of any voice; of a group, the frames in which all codebooks have
one turn, the difference goes through a cosine transform over time and bands (Ahmed et al. 1974),
and its first coefficients through residual vector quantization (Zeghidour et al. 2021,
"SoundStream", section III-C), one codebook after the other. The transform is orthonormal, so what
is nearest among the codes is nearest in the log-mel, and the decoder begins with its inverse.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.signal import FILTER_BANK_HOP
from vqspeech.config.networks import QuantizerConfig
from vqspeech.nn.cosines import log_mel_patterns
from vqspeech.nn.distributed import rank, world
from vqspeech.nn.filter_banks import MEL_MEAN, MEL_SCALE, LogMel
from vqspeech.nn.interleaving import InterleavedQuantizer, by_book, in_turn, spread, tied_groups
from vqspeech.nn.surroundings import one_thread
from vqspeech.nn.timeconv import TimeConv

CHANNELS = 192
"""Of the network that says what to expect."""


def within(x: Tensor, start: int, end: int) -> Tensor:
    """x [..., N] from start to end, zeros where it does not reach."""
    known = x[..., max(0, start) : end]
    before = max(0, -start)
    return F.pad(known, (before, end - start - before - known.shape[-1]))


class Said(NamedTuple):
    """What upper levels say: z [B, D, F] of each frame's group; error [L], the mean square of what
    is left above each of them, and usage [L, entries] of their codes."""

    z: Tensor
    error: Tensor
    usage: Tensor


class UpperLevels(nn.Module):
    """The levels above the first, each with as many codebooks as the first has, which take turns
    within a group."""

    quantizers: Any  # a list of `InterleavedQuantizer`; PyTorch's type does not say of what
    patterns: Tensor

    def __init__(self, config: QuantizerConfig, mels: int, hop: int):
        super().__init__()
        self.books, self.rate = config.codebooks, hop // FILTER_BANK_HOP
        frames = self.books * self.rate
        plain = replace(
            config, dim=config.upper_dim, normalise=False, update="ema", jitter=0.0, levels=1
        )
        self.quantizers = nn.ModuleList(
            InterleavedQuantizer(plain) for _ in range(config.levels - 1)
        )
        wide = self.books * config.dim
        self.context_frames = self.books
        """Frames to either side of a group whose first codes say what to expect of it."""
        self.around = TimeConv(wide, CHANNELS, 2 * self.books + 1, padding=self.books)
        self.out = nn.Linear(CHANNELS, self.rate * mels)
        patterns = log_mel_patterns(frames, mels, config.upper_dim)
        self.register_buffer("patterns", patterns, persistent=False)

    @property
    def initialised(self) -> bool:
        """Whether the codes were once drawn from speech."""
        return all(quantizer.initialised for quantizer in self.quantizers)

    def forget(self) -> None:
        """Let the codes be drawn anew from speech: they say what first codes left that are no
        more."""
        for quantizer in self.quantizers:
            for book in quantizer.books:
                book.initialised.fill_(False)

    def expected(self, z_q: Tensor) -> Tensor:
        """The first level's z_q [B, D, F] to the log-mel that it leads to expect of any voice, [B,
        mels, F * hop / 160]."""
        with torch.autocast(z_q.device.type, enabled=False):  # the codes must be those of use
            x = self.around(spread(z_q.float().transpose(1, 2), self.books))
            found = self.out(F.gelu(x))
            found = found.reshape(len(found), -1, found.shape[-1] // self.rate)
        return found.transpose(1, 2) * MEL_SCALE + MEL_MEAN

    def left(self, log_mel: Tensor, expected: Tensor, frames: Tensor | None = None) -> Tensor:
        """What of a log-mel [B, mels, n] was not expected [B, mels, n]: coefficients [B, D, G] of
        each group.

        frames: [B] code frames of recordings that differ in them, beyond which nothing is left.
        """
        off = (log_mel - expected).transpose(1, 2).float()
        if frames is not None:
            inside = torch.arange(off.shape[1], device=off.device) < frames[:, None] * self.rate
            off = off * inside[..., None]
        off = F.pad(off, (0, 0, 0, -off.shape[1] % (self.books * self.rate)))
        groups = off.reshape(len(off), -1, self.patterns.shape[1])
        with torch.autocast(groups.device.type, enabled=False):
            return (groups @ self.patterns.T).transpose(1, 2)

    def encode_with_ties(self, left: Tensor, levels: int, frames: Tensor) -> tuple[Tensor, Tensor]:
        """What is left, [B, D, G], to the indices of the first `levels` of these, and where another
        code is as near: int64 and bool, [B, levels, G * books] both.

        frames: [B] of each recording. Where they end within a group, its last codebooks have no
        turn, and say nothing that the levels above could build on.
        """
        found = []
        for level in range(levels):
            *own, left = self.level_with_ties(level, left, frames)
            found.append(own)
        indices, ties = zip(*found, strict=True)
        return torch.stack(indices, 1), torch.stack(ties, 1)

    def level_with_ties(
        self, level: int, left: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`encode_with_ties` of one level (0: the lowest of these): [B, G * books] both, and what
        is left above it, [B, D, G]."""
        turns, places = [], torch.arange(left.shape[-1], device=left.device) * self.books
        for number, book in enumerate(self.quantizers[level].books):
            turns.append(book.encode_with_ties(left))
            present = places + number < frames[:, None]
            left = left - book.lookup(turns[-1][0]) * present[:, None]
        indices, ties = (in_turn(parts) for parts in zip(*turns, strict=True))
        return indices, ties, left

    def nearest_few(
        self, level: int, left: Tensor, indices: Tensor, number: int
    ) -> tuple[Tensor, Tensor]:
        """For each frame the `number` codes of a level that are nearest to what the other codebooks
        of its group, as `indices` [F] have them, leave of what is left, [1, D, G]: squared
        distances and indices, [number, F] both."""
        each = self._said(level, indices, left.shape[-1])
        rest = left - torch.stack(each).sum(0)
        books = self.quantizers[level].books
        found = [
            book.nearest_few(rest + own, number) for book, own in zip(books, each, strict=True)
        ]
        distances, few = zip(*found, strict=True)
        frames = len(indices)
        return in_turn(distances)[0, :, :frames], in_turn(few)[0, :, :frames]

    def taken(self, level: int, left: Tensor, indices: Tensor) -> Tensor:
        """What is left, [1, D, G], above a level whose codes are `indices` [F]."""
        return left - torch.stack(self._said(level, indices, left.shape[-1])).sum(0)

    def _said(self, level: int, indices: Tensor, groups: int) -> list[Tensor]:
        """What each codebook of a level says of each group, [1, D, G]: of a group in which it has
        no turn, nothing."""
        parts = zip(self.quantizers[level].books, by_book(indices[None], self.books), strict=True)
        return [within(book.lookup(own), 0, groups) for book, own in parts]

    def encode(
        self, wave: Tensor, z_q: Tensor, frames: Tensor, count: int, log_mel: LogMel
    ) -> Tensor:
        """Waveform [B, F * hop] and the first level's z_q [B, D, F] to the indices of `count` of
        these levels, int64 [B, count, F].

        frames: [B] of each recording, beyond which wave and z_q are zero. As the first level's, a
        code depends on what its group can see and on nothing else: where rounding would decide, it
        is decided from just that.
        """
        left = self.left(log_mel(wave), self.expected(z_q), frames)
        indices, ties = self.encode_with_ties(left, count, frames)
        for row, group in tied_groups(ties, self.books):
            start = group * self.books
            known = indices[row, :, start : start + self.books]
            known[:] = self._decided(wave[row], z_q[row], start, int(frames[row]), count, log_mel)
        return indices[..., : z_q.shape[-1]]

    def _decided(
        self, wave: Tensor, z_q: Tensor, start: int, frames: int, count: int, log_mel: LogMel
    ) -> Tensor:
        """The codes [count, books] of the group at `start` of a recording of so many frames, from
        what they can see of `wave` [T] and z_q [D, F]."""
        reach, end, hop = self.context_frames, start + self.books, self.rate * FILTER_BANK_HOP
        margin = FILTER_BANK_HOP
        own = slice(reach * self.rate, (reach + self.books) * self.rate)
        with one_thread:  # whose number moves the rounding too
            heard = log_mel(within(wave, start * hop - margin, end * hop + margin)[None])
            expected = self.expected(within(z_q, start - reach, end + reach)[None])
            left = torch.tensor([frames - start], device=z_q.device)
            off = self.left(heard[..., 1:-1], expected[..., own], left)
            return self.encode_with_ties(off, count, left)[0][0]

    def lookup(self, indices: Tensor) -> Tensor:
        """Indices [B, levels, F], of all or of the first of them, to what they say of each frame's
        group: [B, D, F]."""
        frames = indices.shape[-1]
        total = self.patterns.new_zeros(len(indices), len(self.patterns), -(-frames // self.books))
        for quantizer, own in zip(self.quantizers, indices.unbind(1), strict=False):
            for number, book in enumerate(quantizer.books):
                z = book.lookup(own[:, number :: self.books])
                total[..., : z.shape[-1]] += z
        return total.repeat_interleave(self.books, -1)[..., :frames]

    @torch.no_grad()
    def forward(self, left: Tensor, counts: Tensor) -> Said:
        """What the levels say of what is left, [B, D, G].

        counts: [B] how many levels each recording has, the first one counted: those above say
        nothing. All of them learn from all recordings.
        """
        total, errors, usage = torch.zeros_like(left), [], []
        for level, quantizer in enumerate(self.quantizers, 2):
            used = []
            for book in quantizer.books:
                found = book(left)
                z = book.lookup(found.indices)
                total = total + z * (counts >= level)[:, None, None]
                left = left - z
                used.append(found.usage)
            errors.append(left.square().mean())
            usage.append(torch.cat(used))
        return Said(
            total.repeat_interleave(self.books, -1), torch.stack(errors), torch.stack(usage)
        )


def draw_counts(levels: int, batch: int, device: torch.device) -> Tensor:
    """For each of B crops of training how many of `levels` it has, from 1 up: int64 [B].

    The first alone, which most is decoded from, twice as often as any other number.
    """
    # Drawn for the batch of all workers, whose random numbers are the same; each has its rows.
    counts = torch.randint(levels + 1, (batch * world(),), device=device).clamp(min=1)
    return counts[rank() * batch : (rank() + 1) * batch]
