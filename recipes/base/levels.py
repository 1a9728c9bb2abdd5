"""What each rate of a model's codes keeps, before any WaveNet: levels beside one another.

    python recipes/base/levels.py PACKED MANIFEST MODEL... [--strangers] [--utterances 28]
        [--search] [--whisper DIR]

MODEL: a folder with a model of several levels, or `shipped`; PACKED, MANIFEST as of codes.py. On
utterances of 3 to 12 s of PACKED's split `valid`, through Griffin-Lim, a row a rate: the columns of
decoding.py, PESQ, and the words of the transcript that pocketsphinx, and with --whisper Whisper,
hears, in %. With --strangers each utterance is at another speed (as of strangers.py), so that its
voice is one that no model has heard, and decoded in its own voice, as the speaker encoder hears it:
a model may gain on the voices that it was trained on, and lose on others. With --search the codes
are searched (`nn.search`), and not the nearest. By this it is chosen how
upper levels are learned: `vqspeech train --config MINE.toml --init shipped --data PACKED --out OUT
--stages levels` takes minutes. Needs the extra `eval`.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from decoding import COLUMNS, SECONDS, pesq_of, scores
from shared import (
    HeldOut,
    codec_of,
    finish,
    held_out,
    some_of,
    transcripts_by_name,
    words_right,
    workers,
)
from strangers import SPEEDS, at_speed
from tqdm import tqdm

from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.evaluation.metrics.recognisers import Recogniser, choose
from vqspeech.evaluation.metrics.scores import Signal


def measure(
    job: tuple[str, HeldOut, float], ears: tuple[Recogniser, ...], search: bool
) -> tuple[list[float], list[tuple[int, int]]]:
    """Of an utterance at a rate the scores, PESQ last, and for each recogniser the words right and
    said."""
    model, utterance, rate = job
    codec = codec_of(model)
    codes = codec.encode(utterance.wave, bitrate=rate, search=search)
    heard = codec.decode(codes, utterance.speaker or None, preview=True)
    found = [*scores(Signal(utterance.wave), heard), pesq_of(utterance.wave, heard)]
    return found, [words_right((heard, utterance.text), ears=one) for one in ears]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--utterances", type=int, default=28)
    parser.add_argument(
        "--strangers", action="store_true", help="in voices that no model has heard"
    )
    parser.add_argument("--search", action="store_true", help="of codes that are searched")
    parser.add_argument("--whisper", metavar="DIR", help="Whisper's model, in CTranslate2's format")
    parser.add_argument("--jobs", type=int, default=None)
    args = parser.parse_args()
    ears, note = choose(None, args.whisper)
    if note is not None:
        print(note)
    texts = transcripts_by_name(args.manifest)
    picked = some_of(held_out(PackedCorpus(args.packed), texts), args.utterances, SECONDS)
    if not picked:
        low, high = SECONDS
        raise InputError(f"{args.packed}: none of its split valid has {low:g} to {high:g} s")
    if args.strangers:
        speeds = [SPEEDS[i % len(SPEEDS)] for i in range(len(picked))]
        picked = [
            one._replace(speaker="", wave=at_speed(one.wave, speed))
            for one, speed in zip(picked, speeds, strict=True)
        ]
    names = (*COLUMNS, "PESQ", *(f"words ({one.name}), %" for one in ears))
    print(f"| model | bit/s | {' | '.join(names)} |\n|---|{'---:|' * (len(names) + 1)}")
    with workers(args.jobs) as pool:
        for model in args.models:
            for rate in codec_of(model).bit_rates:
                jobs = [(model, one, rate) for one in picked]
                one = partial(measure, ears=ears, search=args.search)
                found = list(tqdm(pool.map(one, jobs), leave=False))
                means = np.nanmean([row for row, _ in found], 0)
                right, said = np.sum([words for _, words in found], 0).T
                row = [*means, *(100 * right / np.maximum(said, 1))]
                figures = " | ".join(f"{figure:.3g}" for figure in row)
                print(f"| {model} | {rate:g} | {figures} |", flush=True)


if __name__ == "__main__":
    finish(main)
