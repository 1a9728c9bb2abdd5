"""Random crops of a packed corpus, read ahead in the background."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.data.index import SPLITS, load_index, shard_name
from vqspeech.errors import InputError

if TYPE_CHECKING:
    from vqspeech.data.tracks import F0Track, PhonemeTrack


class CropBatch(NamedTuple):
    """Crops of a training step.

    wave: int16 [B, T]. speaker: rows, int64 [B]. f0: float32 [B, T / 160], Hz at the middle of each
    10 ms, 0 unvoiced. phonemes: int64 [B, T / hop] at the middle of each code frame, -1 unknown.
    None: not asked for.
    """

    wave: np.ndarray
    speaker: np.ndarray
    f0: np.ndarray | None = None
    phonemes: np.ndarray | None = None


class PackedCorpus:
    """A folder made by `pack`, mapped into memory. Raises InputError if it is damaged.

    `speaker_table` are the identities in the order of their rows, `speakers` their names.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.index = load_index(self.folder)
        self.speaker_table = [Speaker.from_dict(row) for row in self.index["speakers"]]
        self.speakers = [speaker.name for speaker in self.speaker_table]
        self._shards = [
            np.memmap(self.folder / shard_name(shard), "<i2", "r") if size else np.zeros(0, "<i2")
            for shard, size in enumerate(self.index["shards"])
        ]
        split = np.array(self.index["utterances"]["split"])
        self._rows = {name: np.flatnonzero(split == name) for name in SPLITS}

    def rows(self, split: str) -> np.ndarray:
        """Rows (int64) in the index of the utterances of `train` or `valid`."""
        return self._rows[split]

    def samples(self, split: str) -> int:
        return int(self.index["utterances"]["samples"][self._rows[split]].sum())

    def hours(self, split: str) -> float:
        return self.samples(split) / SAMPLE_RATE / 3600

    def audio(self, row: int) -> np.ndarray:
        """All samples of one utterance, int16 [T], mapped, not copied."""
        columns = self.index["utterances"]
        offset = columns["offset"][row]
        return self._shards[columns["shard"][row]][offset : offset + columns["samples"][row]]

    def utterances(self, split: str) -> Iterator[tuple[str, int, np.ndarray]]:
        """(name, speaker row, int16 [T]) of every utterance of `split`, in order."""
        columns = self.index["utterances"]
        for row in self._rows[split]:
            yield columns["name"][row], int(columns["speaker"][row]), self.audio(row)


class Crops:
    """Batches of random crops: a pure function of seed, step, rank and world.

    Utterances are drawn in proportion to their length, with a crop anywhere inside. Process `rank`
    of `world` gets its share of the global batch of `batch * world` crops. f0: with it, crops have
    their F0; phonemes, with the hop of the codes: likewise. Raises InputError if the split is
    empty.
    """

    def __init__(
        self,
        corpus: PackedCorpus,
        split: str,
        crop_samples: int,
        batch: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        f0: "F0Track | None" = None,
        phonemes: "tuple[PhonemeTrack, int] | None" = None,
    ):
        self._f0, self._phonemes = f0, phonemes
        self._corpus, self.samples, self._batch = corpus, crop_samples, batch
        self._seed, self._rank, self._world = seed, rank, world
        self._rows = corpus.rows(split)
        if not len(self._rows):
            raise InputError(f"{corpus.folder}: has no audio for {split}; prepare a larger corpus")
        self._ends = np.cumsum(corpus.index["utterances"]["samples"][self._rows])

    def batch_at(self, step: int) -> CropBatch:
        """The crops of training step `step`.

        Utterances shorter than the crop are followed by zeros.
        """
        rng = np.random.default_rng([self._seed, step])
        count = self._batch * self._world
        picks = np.searchsorted(self._ends, rng.integers(self._ends[-1], size=count), side="right")
        places = rng.random(count)
        mine = slice(self._rank * self._batch, (self._rank + 1) * self._batch)
        out = np.zeros((self._batch, self.samples), np.int16)
        rows = self._rows[picks[mine]]
        starts = []
        for crop, row, place in zip(out, rows, places[mine], strict=True):
            audio = self._corpus.audio(row)
            start = int(place * (max(0, len(audio) - self.samples) + 1))
            part = audio[start : start + self.samples]
            crop[: len(part)] = part
            starts.append(start)
        f0 = phonemes = None
        if self._f0 is not None:
            f0 = self._along(self._f0, FILTER_BANK_HOP, rows, starts)
        if self._phonemes is not None:
            phonemes = self._along(*self._phonemes, rows, starts)
        return CropBatch(out, self._corpus.index["utterances"]["speaker"][rows], f0, phonemes)

    def _along(self, track, hop: int, rows, starts) -> np.ndarray:
        """A track at the middle of every `hop` samples of the crops."""
        middles = np.arange(self.samples // hop) * hop + hop // 2
        parts = zip(rows, starts, strict=True)
        return np.stack([track.at(row, start + middles) for row, start in parts])


def prefetch(crops: Crops, start_step: int = 0, depth: int = 4) -> Iterator[CropBatch]:
    """`crops.batch_at` of steps `start_step`, `start_step + 1`, ... without end.

    A background thread stays up to `depth` batches ahead; it ends when the generator is closed.
    What it raises is raised here.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="vqspeech-prefetch")
    try:
        waiting = deque(pool.submit(crops.batch_at, start_step + ahead) for ahead in range(depth))
        for step in count(start_step + depth):
            batch = waiting.popleft().result()
            waiting.append(pool.submit(crops.batch_at, step))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)
