"""What codes know of phonemes: each code stands for the phoneme that it has most often.

van den Oord et al. 2017, section 4.3: 128 codes at 25 Hz, each mapped to the most likely of 41
phonemes, name 49.3 % of the frames rightly, against 7.2 % for a random latent space. Here the
mapping is learned on one half of the utterances and judged on the other, and the other way round.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from vqspeech.errors import InputError
from vqspeech.nn.phonemes import SILENCE

FRAMES_PER_CODE = 4
"""Frames a code, on average, without which a mapping means nothing."""


class Score(NamedTuple):
    """Share of frames whose phoneme is named rightly: on the second half of the utterances with
    the mapping of the first, the other way round, and the mean of the two."""

    mean: float
    forth: float
    back: float


class Frames(NamedTuple):
    """The frames of a corpus that have a phoneme.

    phonemes: int64 [N], indices into `names`. first: bool [N], whether the utterance is in the
    first half. codes: by latent space, int64 [N].
    """

    phonemes: np.ndarray
    first: np.ndarray
    codes: dict[str, np.ndarray]
    names: tuple[str, ...]

    def without_silence(self) -> "Frames":
        """Only those of speech."""
        if SILENCE not in self.names:
            return self
        speech = self.phonemes != self.names.index(SILENCE)
        codes = {space: one[speech] for space, one in self.codes.items()}
        return Frames(self.phonemes[speech], self.first[speech], codes, self.names)


def gather(
    labels: list[list[str | None]], codes: Mapping[str, list[np.ndarray]], seed: int
) -> Frames:
    """The frames of all utterances together; those without a label are left out.

    labels: by utterance, a phoneme or None a frame. codes: by latent space and utterance, [F] as
    long as its labels. Half of the utterances, drawn by `seed`, are the first half.
    """
    names = tuple(sorted({label for one in labels for label in one if label is not None}))
    index = {name: number for number, name in enumerate(names)} | {None: -1}
    halves = np.random.default_rng(seed).permutation(len(labels)) < len(labels) / 2
    lengths = [len(one) for one in labels]
    phonemes = np.array([index[label] for one in labels for label in one], np.int64)
    known = phonemes >= 0
    joined = {
        space: np.concatenate([np.zeros(0, np.int64), *each]).astype(np.int64)[known]
        for space, each in codes.items()
    }
    return Frames(phonemes[known], np.repeat(halves, lengths)[known], joined, names)


def check_enough(frames: Frames, size: int, frame_rate: float) -> None:
    """Raise InputError unless each half has FRAMES_PER_CODE frames of speech for each of `size`
    codes."""
    speech = frames.without_silence()
    least = min(int(speech.first.sum()), int((~speech.first).sum()))
    if least < FRAMES_PER_CODE * size:
        seconds = 2 * FRAMES_PER_CODE * size / frame_rate
        raise InputError(
            f"{least} frames of speech in the smaller half are too few to map {size} codes to "
            f"phonemes; at least {seconds:.0f} s of aligned speech are needed, in two utterances "
            "or more"
        )


def most_frequent(codes: np.ndarray, phonemes: np.ndarray, size: int, classes: int) -> np.ndarray:
    """The phoneme [size] that each code has most often, the lowest where several tie; a code that
    does not occur takes the most frequent of all. codes, phonemes: [N], below size and classes."""
    table = np.bincount(codes * classes + phonemes, minlength=size * classes).reshape(size, classes)
    mapping = table.argmax(1)
    mapping[table.sum(1) == 0] = table.sum(0).argmax()
    return mapping


def cross_accuracy(
    codes: np.ndarray, phonemes: np.ndarray, first: np.ndarray, size: int, classes: int
) -> Score:
    """Accuracy of `most_frequent` across the halves, neither of them empty. All [N]."""
    found = []
    for learnt in (first, ~first):
        mapping = most_frequent(codes[learnt], phonemes[learnt], size, classes)
        found.append(float((mapping[codes[~learnt]] == phonemes[~learnt]).mean()))
    return Score(sum(found) / 2, *found)


def accuracies(frames: Frames, size: int, seed: int) -> dict[str, Score]:
    """By latent space: those of `frames`, the first of them also `shuffled` (its codes in a random
    order: a latent space that knows nothing), and `majority` (one phoneme for everything)."""
    codes = next(iter(frames.codes.values()))
    spaces = frames.codes | {
        "shuffled": np.random.default_rng(seed).permutation(codes),
        "majority": np.zeros_like(codes),
    }
    return {
        space: cross_accuracy(one, frames.phonemes, frames.first, size, len(frames.names))
        for space, one in spaces.items()
    }
