"""What moving the pitch of speech costs a recogniser: `vqspeech.audio.psola` beside librosa's.

    python recipes/base/pitch.py PACKED MANIFEST [--utterances 20]

On the `valid` utterances of PACKED (`vqspeech prepare`) of which MANIFEST has transcripts: words
that pocketsphinx gets wrong, %. Conversion moves the pitch of a recording before it encodes it.
Needs the `eval` extra.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from phonemes import transcripts_by_name
from voices import spread

from vqspeech.audio.psola import transposed
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.evaluation.metrics import words

SEMITONES = (-9, -5, 5, 9)
SHORTEST, LONGEST = 3.0, 12.0
"""Seconds of an utterance."""


def by_librosa(wave: np.ndarray, semitones: float) -> np.ndarray:
    """A phase vocoder; formants move too."""
    import librosa

    return librosa.effects.pitch_shift(wave, sr=SAMPLE_RATE, n_steps=semitones)


def errors(job: tuple[np.ndarray, str]) -> list[int]:
    """Words said, then those wrong: as recorded, and moved by either for each of SEMITONES."""
    wave, reference = job[0], words.normalise(job[1])
    heard = [wave, *(move(wave, by) for move in (transposed, by_librosa) for by in SEMITONES)]
    wrong = [words.align(reference, words.recognise(one))[1] for one in heard]
    return [len(reference), *wrong]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--utterances", type=int, default=20)
    args = parser.parse_args()
    try:
        corpus, texts = PackedCorpus(args.packed), transcripts_by_name(args.manifest)
    except (InputError, OSError) as error:
        print(f"pitch.py: error: {error}", file=sys.stderr)
        return 2
    columns, jobs = corpus.index["utterances"], []
    for row in corpus.rows("valid"):
        text, seconds = texts.get(columns["name"][row]), columns["samples"][row] / SAMPLE_RATE
        if text and SHORTEST <= seconds <= LONGEST:
            jobs.append((corpus.audio(row).astype(np.float32) / 32768, text))
    # One thread each: those of several processes would wait for one another's.
    own = {"initializer": torch.set_num_threads, "initargs": (1,)}
    with ProcessPoolExecutor(mp_context=get_context("spawn"), **own) as pool:
        said, plain, *moved = np.sum(list(pool.map(errors, spread(jobs, args.utterances))), 0)
    print(f"as recorded: {100 * plain / said:.1f} % of {said} words wrong\n")
    print("| semitones | vqspeech | librosa |\n|---:|---:|---:|")
    ours, theirs = moved[: len(SEMITONES)], moved[len(SEMITONES) :]
    for by, one, other in zip(SEMITONES, ours, theirs, strict=True):
        print(f"| {by:+d} | {100 * one / said:.1f} | {100 * other / said:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
