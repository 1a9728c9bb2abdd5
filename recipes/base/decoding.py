"""How temperature and post-filter are chosen: one change at a time, on held-out training speech.

    python recipes/base/decoding.py MODEL PACKED [--manifest MANIFEST] [--utterances 28]
    python recipes/base/decoding.py MODEL PACKED --try HUSH_DB=2 --try HUSH_DB=2,ONSET_GAIN=0.45

MODEL is a folder with a trained WaveNet, or `shipped`; PACKED the corpus it was trained on, whose
split `valid` the training never sees and the evaluation never uses. Needs the extra `eval`. Means
over the utterances of 3 to 12 s: DNSMOS overall, ESTOI, log-mel distance (dB), similarity to the
speaker, F0 correlation, voicing agreement (%); with the MANIFEST that has their transcripts, words
that pocketsphinx hears, % of those said. --try: only these changes of the post-filter's numbers.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from phonemes import transcripts_by_name
from tqdm import tqdm
from voices import similarity, spread

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.codec import Codec
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.evaluation.metrics import networks, words
from vqspeech.evaluation.metrics.f0 import compare
from vqspeech.evaluation.metrics.scores import Signal, estoi, mel_distance
from vqspeech.evaluation.metrics.signals import match
from vqspeech.synthesis import postfilter

TEMPERATURES = (1.0, 0.85, 0.7)
SETTINGS = {
    "SHARPNESS": ("sharpness", (1.0, 1.5, 2.0, 2.5)),
    "ONSET_GAIN": ("times onsets", (0.0, 0.5, 1.0)),
    "PEAK_DB": ("dB at peaks", (0.0, 1.0, 2.0)),
    "HUSH_DB": ("dB in pauses", (0.0, 1.0, 2.0)),
    "PHASE_ROUNDS": ("phase rounds", (0, 2, 4, 8)),
    "LAST_FITS": ("last fits", (0, 1, 2)),
}
"""Of the post-filter: what they are called, and what is tried."""
SHORTEST, LONGEST = 3.0, 12.0
"""Seconds of an utterance."""
COLUMNS = ("DNSMOS", "ESTOI", "log-mel, dB", "speaker", "F0", "voicing, %")


class Way(NamedTuple):
    """How codes are heard. temperature: None for the preview. settings: of the post-filter, where
    they are not the shipped ones; None for no post-filter."""

    label: str
    temperature: float | None
    settings: dict[str, float] | None


class Recording:
    """A held-out utterance, and ways to hear its codes."""

    def __init__(self, codec: Codec, row: int, wave: np.ndarray, seed: int):
        self._codec, self._seed, self.original = codec, seed, Signal(wave)
        self._speaker = codec.speakers[row]
        self._codes = codec.encode(wave)
        with torch.inference_mode():
            indices = torch.from_numpy(self._codes.indices.astype(np.int64))[None]
            hidden = codec.model.hidden(indices, codec.speaker_vector(self._speaker))
            self._log_mel = codec.model.conditioning.log_mel(hidden)[0].numpy()
        self._sampled: dict[float, np.ndarray] = {}

    def heard(self, way: Way) -> np.ndarray:
        if way.temperature is None:
            return self._codec.decode(self._codes, self._speaker, seed=self._seed, preview=True)
        wave = self._sample(way.temperature)
        if way.settings is None:
            return wave
        whole = np.zeros(self._codes.frames * self._codec.hop, np.float32)
        whole[: len(wave)] = wave
        with changed(way.settings):
            return postfilter.postfilter(whole, self._log_mel)[: len(wave)]

    def _sample(self, temperature: float) -> np.ndarray:
        if temperature not in self._sampled:
            options = {"seed": self._seed, "temperature": temperature, "postfilter": False}
            self._sampled[temperature] = self._codec.decode(self._codes, self._speaker, **options)
        return self._sampled[temperature]


@contextmanager
def changed(settings: dict[str, float]):
    """The post-filter with these settings."""
    shipped = {name: getattr(postfilter, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(postfilter, name, value)
        yield
    finally:
        for name, value in shipped.items():
            setattr(postfilter, name, value)


def scores(original: Signal, decoded: np.ndarray) -> list[float]:
    """The COLUMNS of a decoding."""
    wave = original.samples
    found = Signal(match(wave, decoded)[0])
    overall = networks.dnsmos(found.samples)["dnsmos_ovrl"]
    distance = mel_distance(wave, found.samples)
    alike = similarity(original.voice, found.voice)
    pitch = compare(original.pitch, found.pitch).values()
    return [overall, estoi(wave, found.samples), distance, alike, *pitch]


@cache
def codec_of(model: str) -> Codec:
    return Codec.from_pretrained(None if model == "shipped" else model, "cpu")


def measure(job) -> tuple[int, list[tuple[list[float], int]]]:
    """(words said, by way the scores and the words right) of an utterance."""
    model, seed, row, wave, text, ways = job
    recording, said = Recording(codec_of(model), row, wave, seed), words.normalise(text)
    found = []
    for way in ways:
        decoded = recording.heard(way)
        right = words.align(said, words.recognise(decoded))[0] if said else 0
        found.append((scores(recording.original, decoded), right))
    return len(said), found


def all_ways(usual: float) -> list[Way]:
    """Every temperature and every setting there is."""
    ways = [Way(f"sampled, T {t:g}", t, None) for t in TEMPERATURES]
    ways += [Way(f"filtered, T {t:g}", t, {}) for t in TEMPERATURES]
    for name, (label, values) in SETTINGS.items():
        others = (value for value in values if value != getattr(postfilter, name))
        ways += [Way(f"{value:g} {label}", usual, {name: value}) for value in others]
    return ways


def tried(text: str) -> dict[str, float]:
    """NAME=VALUE,NAME=VALUE of `SETTINGS`."""
    settings = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in SETTINGS:
            raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(SETTINGS)}")
        settings[name] = type(getattr(postfilter, name))(value)
    return settings


def utterances(corpus: PackedCorpus, texts: dict[str, str] | None, count: int):
    """(speaker row, float32 [T], transcript) of `count` held-out utterances, evenly spread."""
    columns, found = corpus.index["utterances"], []
    for row in corpus.rows("valid"):
        text = "" if texts is None else texts.get(columns["name"][row])
        if SHORTEST <= columns["samples"][row] / SAMPLE_RATE <= LONGEST and text is not None:
            wave = corpus.audio(row).astype(np.float32) / 32768
            found.append((int(columns["speaker"][row]), wave, text))
    return spread(found, count)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("packed", type=Path)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--utterances", type=int, default=28)
    parser.add_argument("--try", type=tried, action="append", dest="tried", metavar="NAME=VALUE")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    try:
        codec = codec_of(args.model)
        texts = None if args.manifest is None else transcripts_by_name(args.manifest)
        chosen = utterances(PackedCorpus(args.packed), texts, args.utterances)
    except (InputError, OSError) as error:
        print(f"decoding.py: error: {error}", file=sys.stderr)
        return 2
    usual = codec.config.decoder.temperature
    ways = [Way("preview (Griffin-Lim)", None, None)]
    if args.tried is None:
        ways += all_ways(usual)
    else:
        ways.append(Way("filtered", usual, {}))
        for one in args.tried:
            label = ", ".join(f"{value:g} {SETTINGS[name][0]}" for name, value in one.items())
            ways.append(Way(label, usual, one))
    jobs = [(args.model, seed, *one, ways) for seed, one in enumerate(chosen)]
    # One thread each: those of several processes would wait for one another's.
    own = {"initializer": torch.set_num_threads, "initargs": (1,)}
    with ProcessPoolExecutor(args.jobs, get_context("spawn"), **own) as pool:
        results = list(tqdm(pool.map(measure, jobs), "utterances", len(jobs), leave=False))
    said = sum(words_said for words_said, _ in results)
    heading = [*COLUMNS, f"words, % of {said}"] if said else COLUMNS
    print("| | " + " | ".join(heading) + " |\n|---|" + "---:|" * len(heading))
    for place, way in enumerate(ways):
        found = np.nanmean([by_way[place][0] for _, by_way in results], 0)
        cells = [f"{value:.3f}" for value in found[:-1]] + [f"{found[-1]:.1f}"]
        if said:
            right = sum(by_way[place][1] for _, by_way in results)
            cells.append(f"{100 * right / said:.1f}")
        print(f"| {way.label} | " + " | ".join(cells) + " |")
    shipped = (f"{getattr(postfilter, name):g} {label}" for name, (label, _) in SETTINGS.items())
    print(f"\n{len(jobs)} utterances; T {usual:g}, {', '.join(shipped)} where nothing else is said")
    return 0


if __name__ == "__main__":
    sys.exit(main())
