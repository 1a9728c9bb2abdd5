"""What the measurements of this folder share: speech, a model, words, worker processes."""

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vqspeech import Codec
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.corpus import find_utterances
from vqspeech.data.manifest import read_rows
from vqspeech.data.packed import PackedCorpus
from vqspeech.endings import signal_parents_end
from vqspeech.errors import InputError
from vqspeech.evaluation import converted
from vqspeech.evaluation.metrics import words
from vqspeech.evaluation.metrics.recognisers import Recogniser
from vqspeech.evaluation.transcripts import read_transcripts

SHIPPED = "shipped"
POCKETSPHINX = Recogniser()


@cache
def codec_of(model: str | None) -> Codec:
    """A model by its folder; None or SHIPPED: the one in the package. Loaded once a process."""
    return Codec.from_pretrained(None if model == SHIPPED else model, "cpu")


def workers(jobs: int | None = None) -> ProcessPoolExecutor:
    """Processes of one thread each: those of several would wait for one another's."""
    return ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin_worker)


def _begin_worker() -> None:
    signal_parents_end(signal.SIGTERM)
    torch.set_num_threads(1)


class HeldOut(NamedTuple):
    """An utterance that the training never saw: its row in the corpus, speaker, float32 [T] at
    16 kHz, transcript ("" where there is none)."""

    row: int
    speaker: str
    wave: np.ndarray
    text: str


def held_out(corpus: PackedCorpus, texts: dict[str, str]) -> Iterator[HeldOut]:
    """The split `valid` of a packed corpus. texts: `transcripts_by_name`."""
    columns = corpus.index["utterances"]
    for row in corpus.rows("valid"):
        speaker = corpus.speakers[columns["speaker"][row]]
        wave = corpus.audio(row).astype(np.float32) / 32768
        yield HeldOut(int(row), speaker, wave, texts.get(columns["name"][row], ""))


def some_of(utterances: Iterator[HeldOut], count: int, seconds: tuple[float, float]) -> list:
    """`count` of those that have a length (lowest, highest) in seconds, evenly spread."""
    low, high = (round(limit * SAMPLE_RATE) for limit in seconds)
    return spread([one for one in utterances if low <= len(one.wave) <= high], count)


def whole_frames(wave: np.ndarray, hop: int) -> torch.Tensor:
    """[1, F * hop]: `wave` with zeros up to a whole number of codes."""
    return torch.from_numpy(np.pad(wave, (0, -len(wave) % hop)))[None]


def transcripts_by_name(manifest: Path, root: Path | None = None) -> dict[str, str]:
    """Transcripts by the names that a packed corpus has for its utterances.

    root: ROOT of its `vqspeech prepare`, which names files outside the manifest's folder; None for
    that folder.
    """
    by_path = read_transcripts(manifest)
    utterances = find_utterances(manifest.parent if root is None else root, manifest)
    return {f"{u.speaker}/{u.name}": by_path.get(u.path) or "" for u in utterances}


def read_manifest(speech: Path) -> list[dict[str, str]]:
    """The rows of DIR/manifest.tsv, with `path` added."""
    rows, _ = read_rows(speech / "manifest.tsv")
    for row in rows:
        row["path"] = speech / row["file"]
    return rows


def real_speech(rows: list[dict], speaker: str) -> np.ndarray:
    """About a minute of a speaker's own recordings of the training splits: float32 [T]."""
    return converted.real_speech(
        row["path"]
        for row in rows
        if row["speaker"] == speaker and row["split"].startswith("train")
    )


def spread(items: list, count: int) -> list:
    """`count` of `items`, evenly over the list."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def words_right(job: tuple[np.ndarray, str], ears: Recogniser = POCKETSPHINX) -> tuple[int, int]:
    """(words that a recogniser hears rightly, words said) of a waveform and its transcript."""
    said = words.normalise(job[1])
    return (words.align(said, ears.hear(job[0]))[0] if said else 0), len(said)


def finish(main: Callable[[], None]) -> None:
    """Run a script's `main`; bad input is one line and status 2."""
    try:
        main()
    except (InputError, OSError) as error:
        print(f"{Path(sys.argv[0]).name}: error: {error}", file=sys.stderr)
        sys.exit(2)
