"""What a linear prediction leaves of each sub-band, by its order.

    python recipes/base/orders.py PACKED MODEL [--utterances 12] [--bitrate RATE]

MODEL: a folder, or `shipped`; PACKED as of wavenets.py, whose utterances these are. By how many dB
each band becomes less, the lowest first, the mean over the frames of 10 ms that have a voice: by
the prediction of that order from the log-mel that the codes predict (as of `nn.prediction`), and
from the recording's own, which is what better codes could bring.
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
from vqspeech.nn.prediction import BandPrediction, predicted_of

ORDERS = (4, 8, 16, 24, 32)


@torch.inference_mode()
def measure(job: tuple[str, HeldOut, float | None]) -> list[list[float]]:
    """For each of the ORDERS dB by band, from the predicted log-mel and then from the true one."""
    path, utterance, rate = job
    codec = codec_of(path)
    model, bank = codec.model, codec.model.decoder.bank
    wave = whole_frames(utterance.wave, codec.hop)
    voiced = torch.from_numpy(f0_frames(wave[0].numpy())) > 0
    indices = model.encode(wave, levels=codec.config.levels_at(rate))
    hidden = model.hidden(indices, codec.speaker_vector(utterance.speaker))
    bands = bank.split(wave)

    def power(x: Tensor) -> Tensor:
        """Of each band in the frames with a voice: [bands, n]."""
        return x[0].unflatten(-1, (len(voiced), -1)).square().mean(-1)[:, voiced] + 1e-12

    rows = []
    for order in ORDERS:
        prediction, row = BandPrediction(bands.shape[1], codec.config.encoder.mels, order), []
        for log_mel in (model.conditioning.log_mel(hidden), model.target_mel(wave)):
            left = bands - predicted_of(bands, prediction(log_mel).coefficients)
            row += (10 * torch.log10(power(bands) / power(left))).mean(1).tolist()
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("model")
    parser.add_argument("--utterances", type=int, default=12)
    parser.add_argument("--bitrate", type=float, default=None)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    codec = codec_of(args.model)
    codec.config.levels_at(args.bitrate)
    if not codec.config.conditioning.log_mel_head:
        raise InputError(f"{args.model}: its codes say no log-mel")
    picked = some_of(held_out(PackedCorpus(args.packed), {}), args.utterances, SECONDS)
    with workers(args.jobs) as pool:
        jobs = pool.map(measure, [(args.model, one, args.bitrate) for one in picked])
        found = np.nanmean(list(tqdm(jobs, total=len(picked), leave=False)), 0)
    bands = range(1, codec.config.decoder.bands + 1)
    columns = [f"band {band}, {log_mel}" for log_mel in ("predicted", "true") for band in bands]
    print("| order | " + " | ".join(columns) + " |\n|---" + "|---:" * len(columns) + "|")
    for order, row in zip(ORDERS, found, strict=True):
        print(f"| {order} | " + " | ".join(f"{value:.1f}" for value in row) + " |")


if __name__ == "__main__":
    finish(main)
