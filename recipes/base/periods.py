"""What a period ago says of a voice, by how the period is known, and what the WaveNet says itself.

    python recipes/base/periods.py PACKED MODEL [MODEL ...] [--gain 0.8] [--utterances 12]

MODEL: a folder, with a WaveNet that draws residuals; PACKED as of wavenets.py, whose utterances
these are. By how many dB what the short-term prediction leaves of the lowest band becomes less, the
mean over the frames of 10 ms that have a voice: by a long-term prediction whose period is that of
the F0 that the codes predict, of the tracked F0, or the nearest one by which the recording repeats
itself (as in training); and by the WaveNet, the mean of its distribution, told the recording's own
past. No reconstruction.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from shared import HeldOut, codec_of, finish, held_out, some_of, whole_frames, workers
from torch import Tensor
from tqdm import tqdm
from wavenets import SECONDS

from vqspeech.audio.pitch import f0_frames
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.nn.long_term import LongTermPrediction
from vqspeech.nn.prediction import predicted_of

COLUMNS = ("F0 of the codes", "tracked F0", "nearest", "WaveNet")


@torch.inference_mode()
def measure(job: tuple[str, HeldOut, float]) -> list[float]:
    """The COLUMNS of an utterance, in dB."""
    path, utterance, gain = job
    codec = codec_of(path)
    model, decoder = codec.model, codec.model.decoder
    wave = whole_frames(utterance.wave, codec.hop)
    tracked = torch.from_numpy(f0_frames(wave[0].numpy()))[None]
    hidden = model.hidden(model.encode(wave), codec.speaker_vector(utterance.speaker))
    log_mel, predicted = model.conditioning.log_mel(hidden), model.conditioning.pitch(hidden).f0()
    told = None
    if decoder.excitation is not None:
        wave, told = model.teacher_excitation(wave, tracked)
    bands, frames = decoder.bank.split(wave), tracked.shape[1]
    predictor = decoder.predictor(log_mel, tracked)
    full_scale = predictor.full_scale[..., 0].repeat_interleave(bands.shape[-1] // frames, 1)
    residual = (bands - predicted_of(bands, predictor.coefficients))[:, 0] / full_scale
    voiced = (tracked > 0) & (predicted > 0)

    def less_by(left: Tensor) -> float:
        """dB by which `left` [1, N] is less than the residual."""
        before, after = (x.view(frames, -1).square().mean(1)[voiced[0]] for x in (residual, left))
        return float((10 * torch.log10(before / after)).mean())

    long_term = LongTermPrediction(decoder.bands, gain)
    own = long_term.nearest(residual, long_term.lags(tracked))
    ways = (long_term.lags(predicted), long_term.lags(tracked), own)
    found = [less_by(residual - gain * long_term.echoes(residual, lags)) for lags in ways]
    truth = decoder.truth(wave, log_mel, tracked)
    logits = decoder(truth.indices, hidden, 0, told, truth.known)[..., 0, :]
    said = torch.softmax(logits, -1) @ decoder.table
    if decoder.long_term is not None:
        said = said + decoder.long_term(residual, predictor.lags)
    return [*found, less_by(residual - said)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--gain", type=float, default=0.8)
    parser.add_argument("--utterances", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    if not 0 < args.gain < 1:
        raise InputError(f"--gain {args.gain:g} must lie between 0 and 1")
    for path in args.models:
        config = codec_of(path).config
        if not (config.decoder.prediction and config.conditioning.pitch_head):
            raise InputError(f"{path}: its WaveNet draws no residuals, or its codes say no F0")
    picked = some_of(held_out(PackedCorpus(args.packed), {}), args.utterances, SECONDS)
    print("| | " + " | ".join(COLUMNS) + " |\n|---" + "|---:" * len(COLUMNS) + "|", flush=True)
    with workers(args.jobs) as pool:
        for path in args.models:
            jobs = pool.map(measure, [(path, one, args.gain) for one in picked])
            rows = list(tqdm(jobs, path, len(picked), leave=False))
            cells = " | ".join(f"{value:.1f}" for value in np.nanmean(rows, 0))
            print(f"| {path} | {cells} |", flush=True)


if __name__ == "__main__":
    finish(main)
