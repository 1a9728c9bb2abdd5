"""Which sub-bands of a WaveNet cost what: some are its own, the others the recording's.

    python recipes/base/bands.py PACKED MODEL [--heat 1] [--utterances 8]

MODEL: a folder, or `shipped`; PACKED as of wavenets.py, whose utterances and columns these are. One
row a choice of bands that are the WaveNet's, sampled free-running without a post-filter; the others
are the recording's. A means to find what is wrong, never a reconstruction: the last row is one.
"""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from decoding import COLUMNS, Heat, Recording, Way, check_heats, heat, scores
from shared import HeldOut, codec_of, finish, held_out, some_of, whole_frames, workers
from tqdm import tqdm
from wavenets import SECONDS

from vqspeech.config.networks import DecoderConfig
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


class Asked(NamedTuple):
    """What the command line asks of one WaveNet: where it is and its configuration, a job for each
    utterance, and how many processes work on them."""

    model: str
    decoder: DecoderConfig
    jobs: list[tuple[str, HeldOut, Heat]]
    processes: int


def asked(about: str, utterances: int) -> Asked:
    """The options that this and envelopes.py have. about: the script's docstring."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("model")
    parser.add_argument("--heat", type=heat, default=None, metavar="T[:A,B,C,D]")
    parser.add_argument("--utterances", type=int, default=utterances)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    decoder = codec_of(args.model).config.decoder
    one = args.heat or Heat(decoder.temperature, decoder.voiced_temperatures)
    check_heats([one], decoder)
    picked = some_of(held_out(PackedCorpus(args.packed), {}), args.utterances, SECONDS)
    if not picked:
        low, high = SECONDS
        raise InputError(f"{args.packed}: none of its split valid has {low:g} to {high:g} s")
    jobs = [(args.model, utterance, one) for utterance in picked]
    return Asked(args.model, decoder, jobs, args.jobs)


def print_means(
    heading: str,
    names: Sequence[str],
    found: Iterable[list[list[float]]],
    columns: Sequence[str] = COLUMNS,
) -> None:
    """A row a name: the means over utterances of what `measure` found."""
    rows = np.nanmean(list(found), 0)
    print(f"| {heading} | " + " | ".join(columns) + " |")
    print("|---" + "|---:" * len(columns) + "|")
    for name, row in zip(names, rows, strict=True):
        print(f"| {name} | " + " | ".join(f"{value:.3g}" for value in row) + " |")


def name_of(chosen: tuple[int, ...], bands: int) -> str:
    """Where some of `bands` sub-bands lie, in kHz."""
    width = 8 / bands
    return ", ".join(f"{band * width:g} to {(band + 1) * width:g}" for band in chosen) or "none"


def main() -> None:
    model, decoder, jobs, processes = asked(__doc__, 8)
    if decoder.bands == 1:
        raise InputError(f"{model}: its WaveNet has one band, and none to choose among")
    with workers(processes) as pool:
        found = tqdm(pool.map(measure, jobs), total=len(jobs), leave=False)
        names = [name_of(chosen, decoder.bands) for chosen in choices(decoder.bands)]
        print_means("the WaveNet's, kHz", names, found)


if __name__ == "__main__":
    finish(main)
