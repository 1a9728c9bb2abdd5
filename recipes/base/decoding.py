"""How temperature and post-filter are chosen: one change at a time, on held-out training speech.

    python recipes/base/decoding.py MODEL PACKED [--manifest MANIFEST] [--utterances 28]
    python recipes/base/decoding.py MODEL PACKED --try hush_db=2 --try hush_db=2,onset_gain=0.45
    python recipes/base/decoding.py MODEL PACKED --heat 0.85 --heat 0.85:0.5,0.6,0.7,0.8
    python recipes/base/decoding.py MODEL PACKED --gain 1.15 --gain 1.3
    python recipes/base/decoding.py MODEL PACKED --bitrate RATE

MODEL is a folder with a trained WaveNet, or `shipped`; PACKED the corpus it was trained on, whose
split `valid` the training never sees and the evaluation never uses. Needs the extra `eval`. Means
over the utterances of 3 to 12 s, of their codes at the lowest rate or at RATE: DNSMOS overall,
ESTOI, log-mel distance (dB), similarity to the speaker, F0 correlation, voicing agreement (%),
PESQ; with the MANIFEST that has their transcripts, words that pocketsphinx hears, % of those said.
Griffin-Lim, the WaveNet with the model's post-filter and the WaveNet alone stand in every table;
below them every setting that is worth a try, or only those named: with --try changes of the model's
`[postfilter]`, with --heat the WaveNet alone and filtered at another temperature, and, after a
colon, at what each band has of it in voiced frames, with --gain at another `conditioning_gain`.
"""

import argparse
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
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
from tqdm import tqdm

from vqspeech import Codec
from vqspeech.config.networks import DecoderConfig
from vqspeech.config.rendering import PostFilterConfig
from vqspeech.data.packed import PackedCorpus
from vqspeech.evaluation.methods import HEADINGS, PREVIEW, UNFILTERED, WAVENET
from vqspeech.evaluation.metrics import networks
from vqspeech.evaluation.metrics.estoi import estoi
from vqspeech.evaluation.metrics.f0 import compare
from vqspeech.evaluation.metrics.mel import mel_distance
from vqspeech.evaluation.metrics.pesq import pesq_wb
from vqspeech.evaluation.metrics.scores import Signal
from vqspeech.evaluation.metrics.signals import match
from vqspeech.synthesis.postfilter import postfilter

TEMPERATURES = (1.0, 0.85, 0.7)
SETTINGS = {
    "onset_gain": (0.0, 0.5, 1.0),
    "hush_db": (0.0, 1.0, 2.0),
    "phase_rounds": (0, 2, 4, 8),
}
"""Of the post-filter, with what is tried."""
SECONDS = (3.0, 12.0)
"""Of an utterance: the shortest, the longest."""
COLUMNS = ("DNSMOS", "ESTOI", "log-mel, dB", "speaker", "F0", "voicing, %")


class Heat(NamedTuple):
    """What the WaveNet draws at: the temperature, and of it what each band has where there is a
    voice (`DecoderConfig.voiced_temperatures`); gain: its `conditioning_gain`, None: the model's.
    """

    temperature: float
    voiced: tuple[float, ...] = ()
    gain: float | None = None

    def __str__(self) -> str:
        voiced = ", ".join(f"{part:g}" for part in self.voiced)
        gain = "" if self.gain is None else f", gain {self.gain:g}"
        return f"T {self.temperature:g}" + (f", voiced {voiced}" if voiced else "") + gain


def check_heats(heats: list[Heat], config: DecoderConfig) -> None:
    """Raise InputError for temperatures that a decoder cannot have."""
    for temperature, voiced, gain in heats:
        gain = config.conditioning_gain if gain is None else gain
        drawn = {"temperature": temperature, "voiced_temperatures": voiced}
        replace(config, **drawn, conditioning_gain=gain)


class Way(NamedTuple):
    """How codes are heard. heat: None for the preview. filtered: the post-filter's settings, or
    None for the WaveNet alone."""

    label: str
    heat: Heat | None
    filtered: PostFilterConfig | None


class Recording:
    """A held-out utterance, and ways to hear its codes."""

    def __init__(self, codec: Codec, utterance: HeldOut, bitrate: float | None = None):
        self._codec, self._speaker = codec, utterance.speaker
        self._seed, self.original = utterance.row, Signal(utterance.wave)
        self._codes = codec.encode(utterance.wave, bitrate=bitrate)
        with torch.inference_mode():
            indices = torch.from_numpy(self._codes.indices.astype(np.int64))[None]
            hidden = codec.model.hidden(indices, codec.speaker_vector(self._speaker))
            self.hidden = hidden[0]
            self.log_mel = codec.model.conditioning.log_mel(hidden)[0].numpy()
        self._sampled: dict[Heat, np.ndarray] = {}

    def heard(self, way: Way) -> np.ndarray:
        if way.heat is None:
            return self._codec.decode(self._codes, self._speaker, seed=self._seed, preview=True)
        wave = self._sample(way.heat)
        if way.filtered is None:
            return wave
        whole = np.zeros(self._codes.frames * self._codec.hop, np.float32)
        whole[: len(wave)] = wave
        return postfilter(whole, self.log_mel, way.filtered)[: len(wave)]

    def _sample(self, heat: Heat) -> np.ndarray:
        """The WaveNet's samples, drawn once for all post-filters."""
        if heat not in self._sampled:
            decoder, own = self._codec.model.decoder, self._codec.config.decoder
            decoder.voiced_temperatures = heat.voiced
            decoder.conditioning_gain = own.conditioning_gain if heat.gain is None else heat.gain
            options = {"seed": self._seed, "temperature": heat.temperature, "postfilter": False}
            self._sampled[heat] = self._codec.decode(self._codes, self._speaker, **options)
        return self._sampled[heat]


def scores(original: Signal, decoded: np.ndarray) -> list[float]:
    """The COLUMNS of a decoding."""
    wave = original.samples
    found = Signal(match(wave, decoded)[0])
    return [
        networks.dnsmos(found.samples)["dnsmos_ovrl"],
        estoi(wave, found.samples),
        mel_distance(wave, found.samples),
        networks.speaker_similarity(original.voice, found.voice),
        *compare(original.pitch, found.pitch).values(),
    ]


def pesq_of(wave: np.ndarray, decoded: np.ndarray) -> float:
    """PESQ of a decoding of `wave`, both [T]."""
    return pesq_wb(wave, match(wave, decoded)[0])


def measure(
    job: tuple[str, HeldOut, list[Way], float | None],
) -> list[tuple[list[float], tuple[int, int]]]:
    """By way the scores, PESQ last, and the words right and said, of an utterance at a rate."""
    model, utterance, ways, bitrate = job
    recording, found = Recording(codec_of(model), utterance, bitrate), []
    for way in ways:
        wave = recording.heard(way)
        row = [*scores(recording.original, wave), pesq_of(utterance.wave, wave)]
        found.append((row, words_right((wave, utterance.text))))
    return found


def usual_ways(usual: Heat, shipped: PostFilterConfig) -> list[Way]:
    """What stands in every table."""
    return [
        Way(HEADINGS[PREVIEW], None, None),
        Way(HEADINGS[WAVENET], usual, shipped),
        Way(HEADINGS[UNFILTERED], usual, None),
    ]


def heated(heats: list[Heat], shipped: PostFilterConfig) -> list[Way]:
    """At other temperatures, with the post-filter and without."""
    ways = [Way(f"{HEADINGS[WAVENET]}, {heat}", heat, shipped) for heat in heats]
    return ways + [Way(f"{HEADINGS[UNFILTERED]}, {heat}", heat, None) for heat in heats]


def other_ways(usual: Heat, shipped: PostFilterConfig) -> list[Way]:
    """Every other temperature, and every setting there is."""
    heats = [usual._replace(temperature=one) for one in TEMPERATURES]
    ways = heated([heat for heat in heats if heat != usual], shipped)
    for name, values in SETTINGS.items():
        for value in values:
            if value != getattr(shipped, name):
                ways.append(Way(f"{name} {value:g}", usual, replace(shipped, **{name: value})))
    return ways


def tried(text: str) -> dict[str, float]:
    """NAME=VALUE,NAME=VALUE of the post-filter's settings."""
    kinds, settings = {name: type(value) for name, value in asdict(PostFilterConfig()).items()}, {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in kinds:
            raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(kinds)}")
        settings[name] = kinds[name](value)
    return settings


def heat(text: str) -> Heat:
    """T or T:A,B,C,D."""
    temperature, _, voiced = text.partition(":")
    return Heat(float(temperature), tuple(map(float, voiced.split(","))) if voiced else ())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("packed", type=Path)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--utterances", type=int, default=28)
    parser.add_argument("--try", type=tried, action="append", dest="tried", metavar="NAME=VALUE")
    parser.add_argument("--heat", type=heat, action="append", metavar="T[:A,B,C,D]")
    parser.add_argument("--gain", type=float, action="append", metavar="GAIN")
    parser.add_argument("--bitrate", type=float, metavar="RATE", help="bit/s; else the lowest")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    config = codec_of(args.model).config
    decoder, shipped = config.decoder, config.postfilter
    usual = Heat(decoder.temperature, decoder.voiced_temperatures)
    heats = (args.heat or []) + [usual._replace(gain=one) for one in args.gain or ()]
    check_heats(heats, decoder)
    texts = {} if args.manifest is None else transcripts_by_name(args.manifest)
    found = (one for one in held_out(PackedCorpus(args.packed), texts) if one.text or not texts)
    ways = usual_ways(usual, shipped)
    if not (args.tried or heats):
        ways += other_ways(usual, shipped)
    ways += heated(heats, shipped)
    for one in args.tried or ():
        label = ", ".join(f"{name} {value:g}" for name, value in one.items())
        ways.append(Way(label, usual, replace(shipped, **one)))
    jobs = [
        (args.model, one, ways, args.bitrate) for one in some_of(found, args.utterances, SECONDS)
    ]
    with workers(args.jobs) as pool:
        results = list(tqdm(pool.map(measure, jobs), "utterances", len(jobs), leave=False))
    table(ways, results)
    settings = ", ".join(f"{name} {value:g}" for name, value in asdict(shipped).items())
    print(f"\n{len(jobs)} utterances; {usual}, {settings} where nothing else is said")


def table(ways: list[Way], results: list[list]) -> None:
    """Print means over the utterances as Markdown, a row a way. results: of `measure`."""
    said = sum(by_way[0][1][1] for by_way in results)
    heading = [*COLUMNS, "PESQ", *([f"words, % of {said}"] if said else [])]
    print("| | " + " | ".join(heading) + " |\n|---|" + "---:|" * len(heading))
    for place, way in enumerate(ways):
        found = np.nanmean([by_way[place][0] for by_way in results], 0)
        cells = [
            f"{value:.1f}" if name.endswith("%") else f"{value:.3f}"
            for name, value in zip(heading, found, strict=False)
        ]
        if said:
            right = sum(by_way[place][1][0] for by_way in results)
            cells.append(f"{100 * right / said:.1f}")
        print(f"| {way.label} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    finish(main)
