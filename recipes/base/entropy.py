"""What range coding would save of the upper levels of codes, given the levels below.

    python recipes/base/entropy.py PACKED [--model shipped] [--minutes 120] [--steps 2000]

PACKED: a corpus of `vqspeech prepare`. The codes of `--minutes` of its training speech are counted,
and learned from by a network for each level, which sees what the levels below say of the frame and
of those beside it; both are asked for the split `valid`. One row a level: bits a code, plain, by
the histogram, by the network, and what the better one saves.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from shared import codec_of, finish
from torch import Tensor, nn

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.index import SPLITS
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.nn.vqvae import VQVAE
from vqspeech.synthesis.streaming import ChunkEncoder

BATCH, WIDTH, RATE = 1024, 512, 1e-3
BESIDE = 2
"""Frames before and after that the network sees the lower levels of."""


@torch.no_grad()
def codes_of(model: VQVAE, corpus: PackedCorpus, split: str, seconds: float) -> list[Tensor]:
    """Codes [levels, F] of utterances, evenly spread over the split, of so many seconds at most."""
    rows = corpus.rows(split)
    lengths = corpus.index["utterances"]["samples"][rows] / SAMPLE_RATE
    every = max(1, math.ceil(lengths.sum() / seconds))
    found = []
    for row in rows[::every]:
        chunks = ChunkEncoder(model, levels=model.config.quantizer.levels)
        parts = chunks.add(corpus.audio(row).astype(np.float32) / 32768) + chunks.finish()
        found.append(torch.from_numpy(np.concatenate(parts, -1).astype(np.int64)))
    return found


@torch.no_grad()
def examples(model: VQVAE, codes: list[Tensor], level: int) -> tuple[Tensor, Tensor]:
    """What the levels below say about each frame and those beside it [N, ...], its book last, and
    its code at `level` [N]."""
    books, inputs, targets = model.config.quantizer.codebooks, [], []
    for one in codes:
        below = model.quantizer.lookup(one[None, 0])
        if level > 1:
            below = torch.cat([below, model.levels.lookup(one[None, 1:level])], 1)
        beside = F.pad(below, (BESIDE, BESIDE)).unfold(-1, below.shape[-1], 1)[0]
        book = torch.arange(below.shape[-1]) % books
        inputs.append(torch.cat([beside.flatten(0, 1).T, book[:, None].float()], 1))
        targets.append(one[level])
    return torch.cat(inputs), torch.cat(targets)


def by_histogram(train: Tensor, valid: Tensor, entries: int) -> float:
    """Bits a code of `valid` by the counts of `train`, each one more than it was."""
    counts = torch.bincount(train, minlength=entries).double() + 1
    return float(-(counts / counts.sum())[valid].log2().mean())


def by_network(
    train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor], entries: int, steps: int
) -> float:
    """Bits a code of `valid` by a network of two layers that learned `train`; its best while it
    learned."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.LazyLinear(WIDTH), nn.ReLU(), nn.Dropout(0.1))
    network.extend([nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, entries)])
    network(train[0][:2])  # now it knows its width
    optimizer, best = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.01), math.inf
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        rows = torch.randint(len(train[1]), (BATCH,))
        loss = F.cross_entropy(network.train()(train[0][rows]), train[1][rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % max(1, steps // 10) == 0:
            with torch.no_grad():
                asked = F.cross_entropy(network.eval()(valid[0]), valid[1])
            best = min(best, float(asked) / math.log(2))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("--model", default="shipped")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--steps", type=int, default=2000)
    args = parser.parse_args()
    model, corpus = codec_of(args.model).model, PackedCorpus(args.packed)
    quantizer = model.config.quantizer
    if quantizer.levels < 2:
        raise InputError(f"{args.model}: has one level of codes, and no upper ones to ask about")
    splits = {split: codes_of(model, corpus, split, 60 * args.minutes) for split in SPLITS}
    plain = math.log2(quantizer.codebook_size)
    print("| level | bits a code | by histogram | given the levels below | saved, % |")
    print("|---:|---:|---:|---:|---:|")
    for level in range(1, quantizer.levels):
        train, valid = (examples(model, splits[split], level) for split in SPLITS)
        flat = [
            rows[:, -1].long() * quantizer.codebook_size + said for rows, said in (train, valid)
        ]
        counted = by_histogram(*flat, quantizer.entries) - math.log2(quantizer.codebooks)
        learned = by_network(train, valid, quantizer.codebook_size, args.steps)
        saved = 100 * (1 - min(counted, learned) / plain)
        print(f"| {level + 1} | {plain:.2f} | {counted:.2f} | {learned:.2f} | {saved:.1f} |")


if __name__ == "__main__":
    finish(main)
