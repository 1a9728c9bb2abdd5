"""WaveNets beside one another, alone (no post-filter) and free-running, on held-out speech.

    python recipes/base/wavenets.py PACKED MODEL [MODEL ...] [--heat 0.7] [--utterances 12]

MODEL: a folder, or `shipped`; PACKED the corpus that all were trained on, of which only the split
`valid` is asked. One row a model and --heat (as of decoding.py; default: the model's own). Needs
the extra `eval`. Means over the utterances: nats, -log p of a step's samples at 16 bits given the
codes, teacher-forced, which WaveNets that draw in other levels have in common; then DNSMOS, ESTOI,
log-mel distance (dB), similarity to the speaker, F0 correlation and voicing agreement (%) of what
is drawn.

Such models are trained by, for example:

    vqspeech train --config recipes/base/ablations/wavenet/residual.toml --data PACKED \\
      --out OUT --stages waveform --init CODES

CODES: a model whose WaveNet is still untrained (run.sh's after the stage `levels`); or `shipped`,
whose WaveNet draws samples: one that draws residuals begins anew.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from decoding import COLUMNS, Heat, Recording, Way, check_heats, heat, scores
from shared import HeldOut, codec_of, finish, held_out, some_of, whole_frames, workers
from tqdm import tqdm

from vqspeech.audio.pitch import f0_frames
from vqspeech.data.packed import PackedCorpus

SECONDS = (2.5, 5.0)
"""Of an utterance: the shortest, the longest."""


def measure(job: tuple[str, HeldOut, list[Heat]]) -> list[list[float]]:
    """A row of figures for each heat."""
    model, utterance, heats = job
    codec = codec_of(model)
    recording, known = Recording(codec, utterance), nats(model, utterance)
    own = codec.config.decoder
    heats = heats or [Heat(own.temperature, own.voiced_temperatures)]
    found = (recording.heard(Way("", one, None)) for one in heats)
    return [[known, *scores(recording.original, wave)] for wave in found]


@torch.inference_mode()
def nats(model: str, utterance: HeldOut) -> float:
    """-log p of the utterance's samples given its codes, nats a step at 16 bits."""
    codec = codec_of(model)
    wave = whole_frames(utterance.wave, codec.hop)
    f0 = torch.from_numpy(f0_frames(wave[0].numpy()))[None]
    indices = codec.model.encode(wave)
    vector = codec.speaker_vector(utterance.speaker)
    return float(codec.model.nats_per_step(wave, indices, vector, f0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--heat", type=heat, action="append", default=[], metavar="T[:A,B,C,D]")
    parser.add_argument("--utterances", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    for model in args.models:
        check_heats(args.heat, codec_of(model).config.decoder)  # before minutes of work
    chosen = some_of(held_out(PackedCorpus(args.packed), {}), args.utterances, SECONDS)
    columns = ("nats", *COLUMNS)
    print("| | " + " | ".join(columns) + " |\n|---|" + "---:|" * len(columns), flush=True)
    with workers(args.jobs) as pool:
        for model in args.models:
            jobs = [(model, one, args.heat) for one in chosen]
            rows = list(tqdm(pool.map(measure, jobs), model, len(jobs), leave=False))
            for place, means in enumerate(np.nanmean(rows, 0)):
                cells = [f"{means[0]:.2f}", *(f"{x:.3f}" for x in means[1:-1]), f"{means[-1]:.1f}"]
                label = f"{model}, {args.heat[place]}" if args.heat else model
                print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    finish(main)
