"""Speed of packing and of the data loader:

    python recipes/bench/corpus.py [--minutes 20] [--workers N]

Packing: recordings like VCTK's (48 kHz FLAC, a few seconds each, made up), to seconds of audio a
second. Loader: `Crops` behind `prefetch`, as training reads them, against what whole training steps
of `base` consume on this machine; both stages, in samples of crops a second.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS, SPEAKERS = 48_000, 4.0, 4
STEPS, WARM_UP, LOADED = 4, 1, 400


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="of speech (default: 20)")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_corpus(Path(folder) / "in", args.minutes)
        pack_speed(Path(folder), args.workers)
        loader_speed(Path(folder) / "packed")
    return 0


def make_corpus(folder: Path, minutes: float) -> None:
    """Noise through a slow envelope, hard to compress like speech in a room."""
    rng = np.random.default_rng(0)
    time_axis = np.arange(round(SECONDS * RATE)) / RATE
    for i in range(round(minutes * 60 / SECONDS)):
        envelope = np.abs(np.sin(2 * np.pi * (1 + i % 3) * time_axis)) * (time_axis > 0.3)
        wave = 0.1 * envelope * np.cumsum(rng.standard_normal(len(time_axis))) / 300
        path = folder / f"p{225 + i % SPEAKERS}" / f"{i:04d}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.clip(wave, -1, 1), RATE, "PCM_16")


def pack_speed(folder: Path, workers: int) -> None:
    from vqspeech.data.corpus import find_utterances
    from vqspeech.data.pack import pack

    found = find_utterances(folder / "in")
    start = time.perf_counter()
    pack(found, folder / "packed", workers, progress=False)
    seconds = time.perf_counter() - start
    audio = len(found) * SECONDS
    print(
        f"pack: {audio:.0f} s of 48 kHz FLAC in {seconds:.1f} s with {workers} processes, their "
        f"start included: {audio / seconds:.0f} times real time"
    )


def made_up_tracks(corpus, hop: int):
    """F0 and phonemes of every utterance, as long as real ones."""
    from vqspeech.audio.pitch import QUICK_HOP
    from vqspeech.data.crops import Tracks
    from vqspeech.data.tracks import PHONEME_HOP, F0Track, PhonemeTrack

    samples = corpus.index["utterances"]["samples"]
    f0, labels = np.cumsum(samples // QUICK_HOP + 1), np.cumsum(-(-samples // PHONEME_HOP))
    phonemes = PhonemeTrack(np.zeros(labels[-1], np.int8), labels)
    return Tracks(F0Track(np.full(f0[-1], 120, np.float16), f0), phonemes, hop)


def loader_speed(packed: Path) -> None:
    import torch

    from vqspeech.config.reading import load_preset
    from vqspeech.data.crops import BatchShape, Crops, prefetch
    from vqspeech.data.packed import PackedCorpus
    from vqspeech.nn.batch import Batch
    from vqspeech.nn.vqvae import VQVAE
    from vqspeech.training.memory import keep_freed_memory
    from vqspeech.training.objective import total_loss, trained_parameters

    keep_freed_memory()
    config, corpus = load_preset("base"), PackedCorpus(packed)
    tracks = made_up_tracks(corpus, config.hop)
    for stage in config.training.stages:
        size = config.crop_frames(stage) * config.hop
        batches = prefetch(Crops(corpus, "train", BatchShape(size, stage.batch), 0, tracks))
        start = time.perf_counter()
        for _ in range(LOADED):
            crops = next(batches)
        loaded = LOADED * crops.wave.size / (time.perf_counter() - start)
        batches.close()

        torch.manual_seed(0)
        model = VQVAE(config, len(corpus.speakers)).train()
        optimizer = torch.optim.AdamW(trained_parameters(model, stage), 1e-3, fused=True)
        times = []
        for _ in range(WARM_UP + STEPS):
            start = time.perf_counter()
            wave, *known = map(torch.from_numpy, crops)
            losses = model(
                Batch(wave.float() / 32768, *known),
                window=config.decoder_window(stage),
                freeze_codes=stage.name == "waveform",
                with_decoder=stage.name != "codes",
            )
            total_loss(config, stage, losses).backward()
            optimizer.step()
            optimizer.zero_grad()
            times.append(time.perf_counter() - start)
        consumed = crops.wave.size / sorted(times[WARM_UP:])[STEPS // 2]
        print(
            f"loader, {stage.name}: {loaded / 1e6:.1f} M samples/s read, {consumed / 1e6:.2f} M "
            f"consumed: {loaded / consumed:.0f} times"
        )


if __name__ == "__main__":
    sys.exit(main())
