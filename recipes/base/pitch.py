"""What moving the pitch of speech costs a recogniser: `vqspeech.audio.psola` beside librosa's.

    python recipes/base/pitch.py PACKED MANIFEST [--utterances 20]

On the `valid` utterances of PACKED (`vqspeech prepare`) of which MANIFEST has transcripts: words
that pocketsphinx gets wrong, %. Conversion moves the pitch of a recording before it encodes it.
Needs the `eval` extra.
"""

import argparse
from pathlib import Path

import numpy as np
from shared import HeldOut, finish, held_out, some_of, transcripts_by_name, workers

from vqspeech.audio.psola import transposed
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.packed import PackedCorpus
from vqspeech.evaluation.metrics import words

SEMITONES = (-9, -5, 5, 9)
SECONDS = (3.0, 12.0)
"""Of an utterance: the shortest, the longest."""


def by_librosa(wave: np.ndarray, semitones: float) -> np.ndarray:
    """A phase vocoder; formants move too."""
    import librosa

    return librosa.effects.pitch_shift(wave, sr=SAMPLE_RATE, n_steps=semitones)


def errors(utterance: HeldOut) -> list[int]:
    """Words said, then those wrong: as recorded, and moved by either for each of SEMITONES."""
    wave, reference = utterance.wave, words.normalise(utterance.text)
    heard = [wave, *(move(wave, by) for move in (transposed, by_librosa) for by in SEMITONES)]
    wrong = [words.align(reference, words.recognise(one))[1] for one in heard]
    return [len(reference), *wrong]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--utterances", type=int, default=20)
    args = parser.parse_args()
    found = held_out(PackedCorpus(args.packed), transcripts_by_name(args.manifest))
    jobs = some_of((one for one in found if one.text), args.utterances, SECONDS)
    with workers() as pool:
        said, plain, *moved = np.sum(list(pool.map(errors, jobs)), 0)
    print(f"as recorded: {100 * plain / said:.1f} % of {said} words wrong\n")
    print("| semitones | vqspeech | librosa |\n|---:|---:|---:|")
    ours, theirs = moved[: len(SEMITONES)], moved[len(SEMITONES) :]
    for by, one, other in zip(SEMITONES, ours, theirs, strict=True):
        print(f"| {by:+d} | {100 * one / said:.1f} | {100 * other / said:.1f} |")


if __name__ == "__main__":
    finish(main)
