"""Conversion to voices that no model has heard, without a look at an evaluation split.

    python recipes/base/strangers.py PACKED [MODEL] [--guidance 1 --guidance 2] [--whisper DIR]

Such voices are the corpus's own speakers at another speed: pitch and formants move together, as
from one throat to another. The model hears 5 s of each. MODEL: a folder, or `shipped` (default);
PACKED the corpus that it was trained on, whose split `valid` is converted. Needs the extra `eval`.
One row a --guidance (default: the model's own), means over conversions: how many are nearer the
target than the source (%), similarity to each (cosine of resemblyzer embeddings; the target's of
other speech than was heard), how many have the target's median F0 within two semitones (%), and
with --whisper the words that Whisper hears in the recording and still hears then (%).
"""

import argparse
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from shared import HeldOut, codec_of, finish, held_out, some_of, words_right, workers
from torchaudio.functional import resample
from tqdm import tqdm

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.index import OTHER
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.evaluation.converted import SEMITONES, Target, known_by, score_converted
from vqspeech.evaluation.metrics.recognisers import Recogniser, choose
from vqspeech.evaluation.metrics.scores import Signal
from vqspeech.evaluation.strangers import HEARD_SECONDS

SPEEDS = (0.86, 0.92, 1.09, 1.16)
"""Below, a voice is lower than any that was recorded; above, higher."""
KNOWN_SECONDS = 40.0
"""Of other speech of a voice, which is compared with."""
SECONDS = (3.0, 7.0)
"""Of a source: the shortest, the longest."""
EACH = 2
"""Voices that a source is converted to."""
GROUPS = ("speaker", "f0")
COLUMNS = {
    "closer_to_target": "nearer the target, %",
    "target_similarity": "similarity to it",
    "source_similarity": "to the source",
    "f0_within": f"F0 within {SEMITONES:g} semitones, %",
}


class Job(NamedTuple):
    """A source, the voices that it is to become, and how."""

    model: str
    source: HeldOut
    targets: list[Target]
    guidance: list[float]
    method: str
    whisper: Recogniser | None


def strangers(corpus: PackedCorpus, model: str, count: int, seed: int) -> Iterator[Target]:
    """Speakers of the training split at other speeds, drawn by `seed`. Raises InputError if none
    of them has enough speech."""
    columns, by_name = corpus.index["utterances"], {}
    for row in corpus.rows("train"):
        by_name.setdefault(corpus.speakers[columns["speaker"][row]], []).append(int(row))
    wanted = round((HEARD_SECONDS + KNOWN_SECONDS) * max(SPEEDS) * SAMPLE_RATE)
    random, found = np.random.default_rng(seed), 0
    for name in random.permutation(sorted(set(by_name) - {OTHER})):
        wave = said_by(corpus, random.permutation(by_name[name]), wanted)
        if len(wave) < wanted:
            continue
        speed = SPEEDS[found % len(SPEEDS)]
        moved = at_speed(wave, speed)
        cut, label = round(HEARD_SECONDS * SAMPLE_RATE), f"{name} x {speed:g}"
        voice = codec_of(model).voice_of(moved[:cut], name=label)
        yield known_by(label, moved[cut:], GROUPS)._replace(voice=voice)
        if (found := found + 1) == count:
            return
    if not found:
        raise InputError(f"{corpus.folder}: no speaker has {wanted / SAMPLE_RATE:.0f} s of speech")


def at_speed(wave: np.ndarray, speed: float) -> np.ndarray:
    """A recording [T] as it is heard at another speed, pitch and formants with it: [T / speed]."""
    return resample(torch.from_numpy(wave), round(SAMPLE_RATE * speed), SAMPLE_RATE).numpy()


def said_by(corpus: PackedCorpus, rows: np.ndarray, wanted: int) -> np.ndarray:
    """At most so many samples of these utterances, float32 [T]."""
    parts, samples = [np.zeros(0, np.float32)], 0
    for row in rows:
        parts.append(corpus.audio(int(row)).astype(np.float32) / 32768)
        samples += len(parts[-1])
        if samples >= wanted:
            break
    return np.concatenate(parts)[:wanted]


def convert(job: Job) -> list[list[list[float]]]:
    """By guidance, a row of COLUMNS and words (kept, heard in the source) for each target."""
    codec, source = codec_of(job.model), Signal(job.source.wave)
    heard = " ".join(job.whisper.hear(job.source.wave)) if job.whisper else ""
    found = []
    for guidance in job.guidance:
        rows = []
        for target in job.targets:
            options = {"guidance": guidance, "preview": job.method == "preview", "seed": 0}
            wave = codec.convert(job.source.wave, speaker=target.speaker, **options)
            scores = score_converted(source, wave, target, groups=GROUPS)
            words = words_right((wave, heard), job.whisper) if job.whisper else (0, 0)
            rows.append([*(scores[name] for name in COLUMNS), *words])
        found.append(rows)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("model", nargs="?", default="shipped")
    parser.add_argument("--guidance", type=float, action="append", default=[], metavar="G")
    parser.add_argument("--method", choices=("preview", "wavenet"), default="preview")
    parser.add_argument("--voices", type=int, default=16)
    parser.add_argument("--utterances", type=int, default=24)
    parser.add_argument("--whisper", metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    whisper = choose(["whisper"], args.whisper)[0][0] if args.whisper else None
    corpus, codec = PackedCorpus(args.packed), codec_of(args.model)
    guidance = args.guidance or [codec.config.conversion.guidance]
    make = strangers(corpus, args.model, args.voices, args.seed)
    targets = list(tqdm(make, "voices", args.voices, leave=False))
    sources = some_of(held_out(corpus, {}), args.utterances, SECONDS)
    job = partial(Job, args.model, guidance=guidance, method=args.method, whisper=whisper)
    jobs = [
        job(one, targets=[targets[(EACH * n + k) % len(targets)] for k in range(EACH)])
        for n, one in enumerate(sources)
    ]
    with workers(args.jobs) as pool:
        results = list(tqdm(pool.map(convert, jobs), "sources", len(jobs), leave=False))
    print(f"{codec.name} {codec.fingerprint}, {args.method}, {len(targets)} voices\n")
    table(guidance, np.array(results, float))


def table(guidance: list[float], found: np.ndarray) -> None:
    """Print it as Markdown. found: [sources, guidance, targets, columns and words]."""
    labels = ["guidance", *COLUMNS.values()]
    spoken = found[..., -1].sum() > 0
    labels += ["words (Whisper), % of those heard in the source"] * bool(spoken)
    print("| " + " | ".join(labels) + " |\n|---|" + "---:|" * (len(labels) - 1))
    for place, one in enumerate(guidance):
        rows = found[:, place].reshape(-1, found.shape[-1])
        means = np.nanmean(rows[:, : len(COLUMNS)], 0)
        digits = [2 if "similarity" in name else 0 for name in COLUMNS]
        cells = [f"{x:.{d}f}" for x, d in zip(means, digits, strict=True)]
        if spoken:
            cells.append(f"{100 * rows[:, -2].sum() / rows[:, -1].sum():.1f}")
        print(f"| {one:g} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    finish(main)
