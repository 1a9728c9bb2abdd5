"""Random crops of a packed corpus, read ahead in the background."""

from collections.abc import Generator
from dataclasses import astuple, dataclass
from itertools import count
from typing import NamedTuple

import numpy as np

from vqspeech.audio.signal import FILTER_BANK_HOP
from vqspeech.data.index import OTHER
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import F0Track, PhonemeTrack
from vqspeech.parallel import mapped_ahead


class CropBatch(NamedTuple):
    """Crops of a training step.

    wave: int16 [B, T]. speaker: rows, int64 [B]. f0: float32 [B, T / 160], Hz at the middle of each
    10 ms, 0 unvoiced. phonemes: int64 [B, T / hop] at the middle of each code frame, -1 unknown.
    reference: int16 [B, R], other speech of the same speakers. None: not asked for.
    """

    wave: np.ndarray
    speaker: np.ndarray
    f0: np.ndarray | None = None
    phonemes: np.ndarray | None = None
    reference: np.ndarray | None = None


@dataclass(frozen=True)
class BatchShape:
    """A batch: crops of so many samples; the share that process `rank` of `world` gets of the
    `crops * world` that all of them draw together. reference: samples of the same speaker that come
    with each crop; 0: none."""

    samples: int
    crops: int
    rank: int = 0
    world: int = 1
    reference: int = 0


@dataclass(frozen=True)
class Tracks:
    """What crops have beside their samples; None: nothing. hop: samples a phoneme, the codes'."""

    f0: F0Track | None = None
    phonemes: PhonemeTrack | None = None
    hop: int = 0


NO_TRACKS = Tracks()


PAUSE = 0.1
"""A part of an utterance that has less of its mean power than this is one."""


class Crops:
    """Batches of random crops: a pure function of seed, step and shape.

    Utterances are drawn in proportion to their length, with a crop anywhere inside. Raises
    InputError if the split is empty.
    """

    def __init__(
        self,
        corpus: PackedCorpus,
        split: str,
        shape: BatchShape,
        seed: int,
        tracks: Tracks = NO_TRACKS,
    ):
        self._corpus, self.shape, self._seed, self._tracks = corpus, shape, seed, tracks
        self._rows = corpus.require(split)
        self._ends = np.cumsum(corpus.index["utterances"]["samples"][self._rows])
        self._of_speaker = self._group() if shape.reference else {}

    def batch_at(self, step: int) -> CropBatch:
        """The crops of training step `step`.

        Utterances shorter than the crop are followed by zeros.
        """
        rng = np.random.default_rng([self._seed, step])
        samples, batch, rank, world, reference = astuple(self.shape)
        count = batch * world
        picks = np.searchsorted(self._ends, rng.integers(self._ends[-1], size=count), side="right")
        places = rng.random(count)
        others = rng.random((2, count)) if reference else np.zeros((2, 0))
        mine = slice(rank * batch, (rank + 1) * batch)
        out = np.zeros((batch, samples), np.int16)
        rows = self._rows[picks[mine]]
        starts = []
        for crop, row, place in zip(out, rows, places[mine], strict=True):
            audio = self._corpus.audio(row)
            start = int(place * (max(0, len(audio) - samples) + 1))
            part = audio[start : start + samples]
            crop[: len(part)] = part
            starts.append(start)
        f0 = self._along(self._tracks.f0, FILTER_BANK_HOP, rows, starts)
        phonemes = self._along(self._tracks.phonemes, self._tracks.hop, rows, starts)
        heard = None
        if reference:
            chosen = zip(rows, others[0, mine], others[1, mine], strict=True)
            heard = np.stack([self._other_speech(*one, reference) for one in chosen])
        speakers = self._corpus.index["utterances"]["speaker"][rows]
        return CropBatch(out, speakers, f0, phonemes, heard)

    def _group(self) -> dict[int, np.ndarray]:
        """The split's rows of each speaker; `other` is many people, so it has none."""
        speakers = self._corpus.index["utterances"]["speaker"][self._rows]
        return {
            int(number): self._rows[speakers == number]
            for number in np.unique(speakers)
            if self._corpus.speakers[number] != OTHER
        }

    def _other_speech(self, row: int, choice: float, place: float, samples: int) -> np.ndarray:
        """Speech of who speaks utterance `row`: int16 [samples].

        Of another utterance of theirs, if there is one; an utterance that is shorter is repeated.
        Where it would be a pause, it is the loudest part of the utterance: what a network makes of
        a voice that says nothing can be anything.
        """
        rows = self._of_speaker.get(int(self._corpus.index["utterances"]["speaker"][row]))
        if rows is not None and len(rows) > 1:
            here = int(np.searchsorted(rows, row))
            row = rows[(here + 1 + int(choice * (len(rows) - 1))) % len(rows)]
        audio = self._corpus.audio(row)
        start = int(place * (max(0, len(audio) - samples) + 1))
        power = np.square(audio, dtype=np.float64)
        if power[start : start + samples].mean() < PAUSE * power.mean():
            energy = np.cumsum(np.append(0.0, power))
            start = int(np.argmax(energy[samples:] - energy[:-samples]))
        return np.resize(audio[start : start + samples], samples)

    def _along(self, track, hop: int, rows, starts) -> np.ndarray | None:
        """A track, if there is one, at the middle of every `hop` samples of the crops."""
        if track is None:
            return None
        middles = np.arange(self.shape.samples // hop) * hop + hop // 2
        parts = zip(rows, starts, strict=True)
        return np.stack([track.at(row, start + middles) for row, start in parts])


def prefetch(crops: Crops, start_step: int = 0, depth: int = 4) -> Generator[CropBatch, None, None]:
    """`crops.batch_at` of steps `start_step`, `start_step + 1`, ... without end.

    A background thread stays up to `depth` batches ahead; it ends when the generator is closed.
    What it raises is raised here.
    """
    return mapped_ahead(crops.batch_at, count(start_step), 1, depth)
