"""Training crops of codes, and bits per code of whole utterances."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vqspeech.nn.prior import Prior
from vqspeech.training.corpus_codes import CorpusCodes

EARLY = 0.5
"""Share of a crop by which a crop may begin before its utterance does, and is moved to its start
then, so that first codes are seen as often as others."""
BATCH = 16
"""Utterances measured at once."""


class CodeBatch(NamedTuple):
    """Crops of codes of a training step.

    indices: int64 [B, F]. speakers: rows [B]. inside: [B], the crop does not begin where its
    utterance does. counts: [B, F], false beyond the end.
    """

    indices: Tensor
    speakers: Tensor
    inside: Tensor
    counts: Tensor


class CodeCrops:
    """Batches of random crops of codes: a pure function of seed and step.

    books: crops begin with the turn of the first of so many codebooks.
    """

    def __init__(self, codes: CorpusCodes, frames: int, batch: int, seed: int, books: int = 1):
        self._codes, self._frames, self._batch, self._seed = codes, frames, batch, seed
        self._books = books
        lengths = codes.ends - codes.starts
        self._early = round(EARLY * frames)
        beyond = np.maximum(0, lengths - frames)
        # The last turn that a crop may begin with, so that it has the last codes.
        last = -(-beyond // books) * books
        self._places = np.cumsum(last + books + self._early)

    def batch_at(self, step: int) -> CodeBatch:
        """The crops of training step `step`."""
        rng = np.random.default_rng([self._seed, step])
        place = rng.integers(self._places[-1], size=self._batch)
        rows = np.searchsorted(self._places, place, side="right")
        starts, ends = self._codes.starts[rows], self._codes.ends[rows]
        before = np.concatenate([[0], self._places])[rows]
        offset = np.maximum(0, place - before - self._early) // self._books * self._books
        grid = (starts + offset)[:, None] + np.arange(self._frames)
        counts = grid < ends[:, None]
        indices = self._codes.indices[np.minimum(grid, ends[:, None] - 1)].astype(np.int64)
        arrays = (indices, self._codes.speakers[rows], offset > 0, counts)
        return CodeBatch(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))


@torch.no_grad()
def bits_per_code(prior: Prior, codes: CorpusCodes, any_speaker: bool = False) -> float:
    """-log2 p of a code, the mean over whole utterances; any_speaker: speaker not told."""
    prior.eval()
    device = prior.output.weight.device
    order = np.argsort(codes.ends - codes.starts, kind="stable")  # little padding in a batch
    nats = 0.0
    for first in range(0, len(order), BATCH):
        rows = order[first : first + BATCH]
        parts = [codes.indices[codes.starts[r] : codes.ends[r]] for r in rows]
        longest = max(map(len, parts))
        indices = torch.tensor(
            np.stack([np.pad(p, (0, longest - len(p))) for p in parts]).astype(int)
        )
        speakers = torch.from_numpy(codes.speakers[rows])
        if any_speaker:
            speakers = torch.full_like(speakers, prior.any_speaker)
        inside = torch.zeros(len(rows), dtype=torch.bool)
        found = prior.nats(indices.to(device), speakers.to(device), inside.to(device)).cpu()
        nats += sum(float(found[i, : len(p)].double().sum()) for i, p in enumerate(parts))
    return nats / max(1, len(codes.indices)) / math.log(2)
