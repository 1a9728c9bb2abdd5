"""A packed corpus, mapped into memory: what `pack` made, read."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.config.tables import build
from vqspeech.data.index import INDEX, SPLITS, load_index, shard_name
from vqspeech.errors import InputError


class PackedCorpus:
    """A folder made by `pack`, mapped into memory. Raises InputError if it is damaged.

    `speaker_table` are the identities in the order of their rows, `speakers` their names.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.index = load_index(self.folder)
        self.hash = hashlib.blake2b((self.folder / INDEX).read_bytes(), digest_size=8).hexdigest()
        """16 hex digits that name it: what was made of it is of no other, of one that was prepared
        in its place meanwhile neither."""
        self.speaker_table = [build(Speaker, row, "speakers") for row in self.index["speakers"]]
        self.speakers = [speaker.name for speaker in self.speaker_table]
        self._shards = [
            np.memmap(self.folder / shard_name(shard), "<i2", "r") if size else np.zeros(0, "<i2")
            for shard, size in enumerate(self.index["shards"])
        ]
        split = np.array(self.index["utterances"]["split"])
        self._rows = {name: np.flatnonzero(split == name) for name in SPLITS}

    @cached_property
    def recordings(self) -> str:
        """16 hex digits of which recordings there are, how long, and which are held out: the same
        wherever they were prepared."""
        columns = self.index["utterances"]
        heard = [columns["name"], columns["split"], columns["samples"].tolist()]
        return hashlib.blake2b(json.dumps(heard).encode(), digest_size=8).hexdigest()

    def rows(self, split: str) -> np.ndarray:
        """Rows (int64) in the index of the utterances of `train` or `valid`."""
        return self._rows[split]

    def require(self, split: str) -> np.ndarray:
        """`rows`; raises InputError where there are none."""
        rows = self.rows(split)
        if not len(rows):
            advice = "a larger one" if split == "train" else "it with a larger --valid"
            raise InputError(f"{self.folder}: has no audio for {split}; prepare {advice}")
        return rows

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
        for row in self._rows[split].tolist():
            yield columns["name"][row], int(columns["speaker"][row]), self.audio(row)


def check_packed(folder: str | os.PathLike, splits: Sequence[str] = SPLITS) -> None:
    """Raise InputError unless `folder` is a packed corpus with audio for these splits."""
    corpus = PackedCorpus(folder)
    for split in splits:
        corpus.require(split)
