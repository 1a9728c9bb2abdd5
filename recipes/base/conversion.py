"""How well voices are converted: `python recipes/base/conversion.py --speech DIR`, one table.

DIR holds a manifest.tsv with a split train. Utterances of it (`--split`), none of them by a target,
are converted to three women and three men with at least 7 minutes of training speech. Chosen by a
fixed seed, not by result. Needs the `eval` extra.

- closer to the target: cosine of resemblyzer embeddings of the result with the target's real speech
  above that with the source recording.
- nearest is the target: among all speakers with as many minutes of training speech.
- F0: median F0 of the result within 2 semitones of that of the target's real speech.
- word error (pocketsphinx): of the results over that of plain reconstruction (the same codes with
  the source's own identity), of utterances with a transcript. The recogniser is slow;
  `--words-of 2` asks it about two targets an utterance, each target as often as any other.

`--guidance 0` leaves the target's voice as the codes and the identity alone make it; which one a
model's configuration has by itself (`[conversion]`) is chosen by this.
"""

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from shared import codec_of, finish, read_manifest, real_speech, spread, workers
from tqdm import tqdm

from vqspeech.audio import reading as audio
from vqspeech.audio.pitch import median_f0
from vqspeech.evaluation import converted
from vqspeech.evaluation.converted import SEMITONES
from vqspeech.evaluation.metrics import networks, words


class Voices(NamedTuple):
    """What is known of real voices: embeddings by name, and the median F0 of the targets."""

    embedded: dict[str, np.ndarray]
    f0: dict[str, float]


def word_errors(reference: list[str], wave: np.ndarray) -> int:
    return words.align(reference, words.recognise(wave))[1]


def convert_one(job: tuple[int, dict, argparse.Namespace, Voices]):
    """(words said, those wrong in plain reconstruction, a row for each target) of a source."""
    number, row, args, voices = job
    codec = codec_of(args.model)
    options = {"preview": args.method == "preview", "seed": args.seed}
    moved = {"pitch": args.pitch, "guidance": args.guidance}
    wave = audio.read(row["path"], quiet=True)
    codes, own = codec.encode(wave), networks.voice_embedding(wave)
    reference, plain = words.normalise(row["transcript"]), 0
    if reference:
        identity = row["speaker"] if row["speaker"] in codec.speakers else "other"
        plain = word_errors(reference, codec.decode(codes, identity, **options))
    found, turns = [], max(1, len(voices.f0) // args.words_of)
    for place, (name, f0) in enumerate(voices.f0.items()):
        asked = bool(reference) and (place - number) % turns == 0
        result = codec.convert(wave, speaker=name, **moved, **options)
        voice = networks.voice_embedding(result)
        alike = {
            other: networks.speaker_similarity(voice, known)
            for other, known in voices.embedded.items()
        }
        found.append(
            (
                alike[name] > networks.speaker_similarity(voice, own),
                max(alike, key=alike.get) == name,
                12 * np.log2(median_f0(result) / f0),
                word_errors(reference, result) if asked else 0,
                len(reference) if asked else 0,
                alike[name],
            )
        )
    return len(reference), plain, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", required=True, type=Path, metavar="DIR")
    parser.add_argument("--model")
    parser.add_argument("--split", default="train")
    parser.add_argument("--method", choices=("preview", "wavenet"), default="preview")
    parser.add_argument("--utterances", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--guidance", type=float, metavar="G")
    parser.add_argument("--pitch", choices=("target", "keep"), default="target")
    parser.add_argument("--words-of", type=int, default=6, choices=(1, 2, 3, 6))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    codec = codec_of(args.model)
    rows = read_manifest(args.speech)
    heard = {row["speaker"] for row in rows if row["split"].startswith("train")}
    targets, enough = converted.choose_targets(
        codec.speaker_table, heard, minutes=args.minutes, seed=args.seed
    )
    sources = [r for r in rows if r["split"] == args.split and r["speaker"] not in targets]
    sources = spread(sources, args.utterances)
    real = {name: real_speech(rows, name) for name in tqdm(enough, "voices", leave=False)}
    voices = Voices(
        {name: networks.voice_embedding(wave) for name, wave in real.items()},
        {name: median_f0(real[name]) for name in targets},
    )
    jobs = [(number, row, args, voices) for number, row in enumerate(sources)]
    with workers(args.jobs) as pool:
        results = list(tqdm(pool.map(convert_one, jobs), "sources", len(jobs), leave=False))
    said, plain = (sum(result[part] for result in results) for part in (0, 1))
    found = {name: [one[2][place] for one in results] for place, name in enumerate(targets)}
    print(
        f"{codec.name} {codec.fingerprint}, {args.method}, pitch {args.pitch}, "
        f"guidance {codec.config.conversion.guidance if args.guidance is None else args.guidance:g}"
    )
    print(f"plain reconstruction: word error {100 * plain / max(said, 1):.1f} % of {said} words\n")
    table(found, voices.f0, plain / max(said, 1))


def table(found: dict[str, list], f0: dict[str, float], plain: float) -> None:
    """Print it as Markdown, a row a target. plain: the share of words wrong without conversion."""
    print("| target | closer to target | nearest is target | F0 off, semitones | within 2 "
          "| word error | similarity |")  # fmt: skip
    print("|---|---:|---:|---:|---:|---:|---:|")
    everything = [row for rows in found.values() for row in rows]
    for name, rows in [*found.items(), ("all", everything)]:
        closer, near, off, errors, asked, alike = np.array(rows, float).T
        share = errors.sum() / max(asked.sum(), 1)
        within = np.abs(off) <= SEMITONES  # NaN, where no pitch is found, is not
        label = f"{name} ({f0[name]:.0f} Hz)" if name in f0 else name
        ratio = f"{share / plain:.2f}" if plain else "-"
        print(
            f"| {label} | {100 * closer.mean():.0f} % | {100 * near.mean():.0f} % "
            f"| {np.nanmedian(off):+.1f} | {100 * within.mean():.0f} % "
            f"| {100 * share:.1f} % (x {ratio}) | {np.nanmean(alike):.2f} |"
        )


if __name__ == "__main__":
    finish(main)
