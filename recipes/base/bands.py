"""Which sub-bands of a WaveNet cost what: some are its own, the others the recording's.

    python recipes/base/bands.py PACKED MODEL [--heat 1] [--utterances 8]

MODEL: a folder, or `shipped`; PACKED as of wavenets.py, whose utterances and columns these are. One
row a choice of bands that are the WaveNet's, sampled free-running without a post-filter; the others
are the recording's. A means to find what is wrong, never a reconstruction: the last row is one.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from decoding import COLUMNS, Heat, Recording, Way, check_heats, heat, scores
from shared import HeldOut, codec_of, finish, held_out, some_of, whole_frames, workers
from tqdm import tqdm
from wavenets import SECONDS

from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError


def choices(bands: int) -> list[tuple[int, ...]]:
    """None, each by itself, all but the lowest, all."""
    alone = [(band,) for band in range(bands)]
    return [(), *alone, tuple(range(1, bands)), tuple(range(bands))]


@torch.inference_mode()
def measure(job: tuple[str, HeldOut, Heat]) -> list[list[float]]:
    """A row of figures for each of the `choices`."""
    model, utterance, one = job
    codec = codec_of(model)
    recording, bank = Recording(codec, utterance), codec.model.decoder.bank
    drawn = recording.heard(Way("", one, None))
    own, made = (bank.split(whole_frames(wave, codec.hop)) for wave in (utterance.wave, drawn))
    rows = []
    for chosen in choices(bank.bands):
        mixed = own.clone()
        mixed[:, list(chosen)] = made[:, list(chosen)]
        wave = bank.join(mixed)[0, : len(utterance.wave)].numpy()
        rows.append(scores(recording.original, wave))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("model")
    parser.add_argument("--heat", type=heat, default=None, metavar="T[:A,B,C,D]")
    parser.add_argument("--utterances", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    config = codec_of(args.model).config.decoder
    if config.bands == 1:
        raise InputError(f"{args.model}: its WaveNet has one band, and none to choose among")
    one = args.heat or Heat(config.temperature, config.voiced_temperatures)
    check_heats([one], config)
    picked = some_of(held_out(PackedCorpus(args.packed), {}), args.utterances, SECONDS)
    with workers(args.jobs) as pool:
        jobs = pool.map(measure, [(args.model, utterance, one) for utterance in picked])
        rows = np.nanmean(list(tqdm(jobs, total=len(picked), leave=False)), 0)
    print("| the WaveNet's, kHz | " + " | ".join(COLUMNS) + " |")
    print("|---" + "|---:" * len(COLUMNS) + "|")
    width = 8 / config.bands
    for chosen, row in zip(choices(config.bands), rows, strict=True):
        names = [f"{band * width:g} to {(band + 1) * width:g}" for band in chosen]
        cells = " | ".join(f"{value:.3g}" for value in row)
        print(f"| {', '.join(names) or 'none'} | {cells} |")


if __name__ == "__main__":
    finish(main)
