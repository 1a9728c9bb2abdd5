"""What is known of a packed corpus beside its samples: where its voices' pitch and phonemes lie.

Each kind is one file beside the index, made once: `f0.safetensors` by `track_f0` when training
first needs it, `phonemes.safetensors` by whoever has transcripts (recipes/base/phonemes.py). Both
hold `values` of all utterances, one after another, and where each one's `ends`.
"""

import errno
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from vqspeech.audio.pitch import QUICK_HOP, at_samples, track
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.files import reason, whole_path
from vqspeech.nn.phonemes import PHONEMES, UNKNOWN
from vqspeech.parallel import cores, map_processes

F0_FILE, PHONEME_FILE = "f0.safetensors", "phonemes.safetensors"
PHONEME_HOP = 160
"""Samples that a phoneme label stands for."""
HIGHEST_F0 = 2000.0
PIECE_SECONDS = 60
"""Of speech tracked at once: the tracker's memory grows with it."""
ROWS_AT_ONCE = 16


class Track:
    """Values of every utterance of a corpus: `of(row)`."""

    def __init__(self, values: np.ndarray, ends: np.ndarray):
        self._values, self._ends = values, ends

    def of(self, row: int) -> np.ndarray:
        """Those of the utterance in `row` of the index."""
        return self._values[self._ends[row - 1] if row else 0 : self._ends[row]]


class F0Track(Track):
    """F0 in Hz, float16, 0 where there is no voice: of `pitch.track`, a value every 20 ms."""

    def at(self, row: int, samples: np.ndarray) -> np.ndarray:
        """F0 at `samples` [n] of an utterance: float32 [n], 0 where unvoiced or beyond its end."""
        return at_samples(self.of(row), samples)


class PhonemeTrack(Track):
    """Places in PHONEMES, int8, UNKNOWN where nobody knows."""

    def at(self, row: int, samples: np.ndarray) -> np.ndarray:
        """The phonemes at `samples` [n] of an utterance, int64 [n]; UNKNOWN beyond its end."""
        known = self.of(row)
        found = known[np.minimum(samples // PHONEME_HOP, len(known) - 1)]
        inside = samples < PHONEME_HOP * len(known)
        return np.where(inside, found, UNKNOWN).astype(np.int64)


def load_f0(corpus: PackedCorpus) -> F0Track | None:
    """The corpus's F0, or None where it was not tracked yet, or is damaged."""
    lengths = corpus.index["utterances"]["samples"] // QUICK_HOP + 1
    found = _kept(corpus, F0_FILE, "F16", lengths)
    if found is None or not bool(((found[0] >= 0) & (found[0] <= HIGHEST_F0)).all()):
        return None
    return F0Track(*found)


def load_phonemes(corpus: PackedCorpus) -> PhonemeTrack | None:
    """The corpus's phonemes, or None where nobody noted them, or they are damaged."""
    lengths = -(-corpus.index["utterances"]["samples"] // PHONEME_HOP)
    found = _kept(corpus, PHONEME_FILE, "I8", lengths)
    if found is None or not bool(((found[0] >= UNKNOWN) & (found[0] < len(PHONEMES))).all()):
        return None
    return PhonemeTrack(*found)


def save_phonemes(corpus: PackedCorpus, labels: Sequence[np.ndarray]) -> Path:
    """Keep the phonemes of every utterance, in the index's order: int8, one every 10 ms.

    Returns the file. Raises OSError if it cannot be written.
    """
    _keep(corpus, PHONEME_FILE, labels)
    return corpus.folder / PHONEME_FILE


def track_f0(
    corpus: PackedCorpus, progress: Callable[[int, int], None], workers: int | None = None
) -> F0Track:
    """The corpus's F0: kept, or tracked now (pYIN, some 100 times real time a core) and kept.

    progress: called with the utterances done and their number. Raises OSError if it cannot
    be kept, InputError if a process is killed, or the corpus is replaced meanwhile.
    """
    known = load_f0(corpus)
    if known is not None:
        return known
    total = len(corpus.index["utterances"]["samples"])
    parts = [range(i, min(i + ROWS_AT_ONCE, total)) for i in range(0, total, ROWS_AT_ONCE)]
    found: list[np.ndarray] = []
    workers = min(workers or cores(), len(parts))
    for part in map_processes(partial(_tracks_of, corpus.folder, corpus.hash), parts, workers):
        found += part
        progress(len(found), total)
    return F0Track(*_keep(corpus, F0_FILE, found))


@cache
def _opened(folder: Path) -> PackedCorpus:
    return PackedCorpus(folder)  # once a worker: a large corpus has a large index


def _tracks_of(folder: Path, name: str, rows: range) -> list[np.ndarray]:
    """F0 of `rows` of the corpus of hash `name`."""
    corpus, size = _opened(folder), PIECE_SECONDS * SAMPLE_RATE
    if corpus.hash != name:
        raise InputError(f"{folder}: was prepared anew while it was read; start again")
    found = []
    for row in rows:
        audio = corpus.audio(row)
        pieces = []
        for start in range(0, len(audio) + 1, size):
            piece = audio[start : start + size].astype(np.float32) / 32768
            f0 = np.nan_to_num(track(piece, quick=True).f0)
            last = start + size > len(audio)
            pieces.append(f0 if last else f0[: size // QUICK_HOP])
        found.append(np.concatenate(pieces).astype(np.float16))
    return found


def _keep(
    corpus: PackedCorpus, name: str, parts: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Write (values, ends) of every utterance, and return them."""
    values, ends = np.concatenate(parts), np.cumsum([len(part) for part in parts], dtype=np.int64)
    path = corpus.folder / name
    try:
        with whole_path(path) as place:
            save_file({"values": values, "ends": ends}, place, {"corpus": corpus.hash})
    except SafetensorError as error:  # what it makes of a full disk
        raise OSError(errno.EIO, reason(error), str(path)) from None
    return values, ends


def _kept(
    corpus: PackedCorpus, name: str, dtype: str, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """(values, ends) of a file of this corpus whose utterances have `lengths`, else None.

    dtype: as safetensors names it.
    """
    wanted = np.cumsum(lengths)
    try:
        with safe_open(corpus.folder / name, "np") as file:
            parts = [file.get_slice(part) for part in ("values", "ends")]
            found = [(part.get_dtype(), part.get_shape()) for part in parts]
            fits = found == [(dtype, [int(wanted[-1])]), ("I64", [len(wanted)])]
            if not fits or (file.metadata() or {}).get("corpus") != corpus.hash:
                return None
            values, ends = file.get_tensor("values"), file.get_tensor("ends")
    except (OSError, SafetensorError):
        return None
    return (values, ends) if np.array_equal(ends, wanted) else None
