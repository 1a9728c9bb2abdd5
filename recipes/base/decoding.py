"""How temperature and post-filter are chosen: one change at a time, on held-out training speech.

    python recipes/base/decoding.py MODEL PACKED [--utterances 14] [--seconds 5]

MODEL is a folder with a trained WaveNet, PACKED the corpus it was trained on, whose split `valid`
the training never sees and the evaluation never uses. Needs the extra `eval`. Means over the
utterances: DNSMOS overall, ESTOI, log-mel distance (dB), similarity to the speaker.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from vqspeech.codec import Codec
from vqspeech.data.batches import PackedCorpus
from vqspeech.dsp import SAMPLE_RATE
from vqspeech.errors import InputError
from vqspeech.evaluation import networks
from vqspeech.evaluation.metrics import estoi, mel_distance
from vqspeech.evaluation.signals import match
from vqspeech.sampling import postfilter

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


class Recording:
    """A held-out utterance, and ways to hear its codes."""

    def __init__(self, codec: Codec, row: int, wave: np.ndarray, seed: int):
        self._codec, self._seed, self.wave = codec, seed, wave
        self._speaker = codec.speakers[row]
        self._codes = codec.encode(wave)
        with torch.inference_mode():
            indices = torch.from_numpy(self._codes.indices.astype(np.int64))[None]
            hidden = codec.model.hidden(indices, codec.speaker_vector(self._speaker))
            self._log_mel = codec.model.conditioning.log_mel(hidden)[0].numpy()
        self._sampled: dict[float, np.ndarray] = {}

    def preview(self) -> np.ndarray:
        return self._codec.decode(self._codes, self._speaker, seed=self._seed, preview=True)

    def sampled(self, temperature: float) -> np.ndarray:
        if temperature not in self._sampled:
            options = {"seed": self._seed, "temperature": temperature, "postfilter": False}
            self._sampled[temperature] = self._codec.decode(self._codes, self._speaker, **options)
        return self._sampled[temperature]

    def filtered(self, temperature: float) -> np.ndarray:
        wave = self.sampled(temperature)
        whole = np.zeros(self._codes.frames * self._codec.hop, np.float32)
        whole[: len(wave)] = wave
        return postfilter.postfilter(whole, self._log_mel)[: len(wave)]


def scores(recording: Recording, decoded: np.ndarray) -> list[float]:
    wave = recording.wave
    decoded = match(wave, decoded)[0]
    alike = networks.speaker_similarity(
        networks.voice_embedding(wave), networks.voice_embedding(decoded)
    )
    overall = networks.dnsmos(decoded)["dnsmos_ovrl"]
    return [overall, estoi(wave, decoded), mel_distance(wave, decoded), alike]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("packed", type=Path)
    parser.add_argument("--utterances", type=int, default=14)
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    try:
        codec = Codec.from_pretrained(args.model)
        held_out = list(PackedCorpus(args.packed).utterances("valid"))
    except InputError as error:
        print(f"decoding.py: error: {error}", file=sys.stderr)
        return 2
    held_out = held_out[:: max(1, len(held_out) // args.utterances)][: args.utterances]
    samples = round(args.seconds * SAMPLE_RATE)
    recordings = [
        Recording(codec, row, audio[:samples].astype(np.float32) / 32768, seed)
        for seed, (_, row, audio) in enumerate(held_out)
    ]
    usual = codec.config.decoder.temperature

    def row(name: str, decode) -> None:
        found = np.mean([scores(one, decode(one)) for one in recordings], 0)
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in found) + " |", flush=True)

    print("| | DNSMOS | ESTOI | log-mel, dB | speaker |\n|---|---:|---:|---:|---:|")
    row("preview (Griffin-Lim)", Recording.preview)
    for temperature in TEMPERATURES:
        row(f"sampled, T {temperature:g}", lambda one, t=temperature: one.sampled(t))
    for temperature in TEMPERATURES:
        row(f"filtered, T {temperature:g}", lambda one, t=temperature: one.filtered(t))
    shipped = {name: getattr(postfilter, name) for name in SETTINGS}
    for name, (label, values) in SETTINGS.items():
        for value in values:
            if value != shipped[name]:
                setattr(postfilter, name, value)
                row(f"{value:g} {label}", lambda one: one.filtered(usual))
        setattr(postfilter, name, shipped[name])
    values = ", ".join(f"{shipped[name]:g} {label}" for name, (label, _) in SETTINGS.items())
    print(f"\n{len(recordings)} utterances; T {usual:g}, {values} where nothing else is said")
    return 0


if __name__ == "__main__":
    sys.exit(main())
