"""What the prior is worth: bits per code, bit/s of .vqs files, bits per sample, coding speed.

    python recipes/prior/measure.py --speech DIR --run exp/base/run [--model M]

DIR holds recordings and a manifest.tsv with the splits eval-seen and eval-unseen; the run holds
codes.safetensors, the training codes that the unigram and bigram are counted on. Prints Markdown.
"""

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from vqspeech import Codec
from vqspeech.audio.reading import read
from vqspeech.codes.vqs import measure_vqs
from vqspeech.data.corpus import find_utterances
from vqspeech.errors import InputError
from vqspeech.evaluation.likelihood import nats_per_step
from vqspeech.training.baselines import baseline_bits
from vqspeech.training.corpus_codes import CODES_FILE, CorpusCodes

SPLITS = ("eval-seen", "eval-unseen")
PARTS = ("indices", "ends", "speakers")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--no-wavenet", action="store_true", help="leave bits per sample out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    try:
        codec = Codec.from_pretrained(args.model, device="cpu")
        kept = load_file(args.run / CODES_FILE)
        train = CorpusCodes(*(kept[f"train.{part}"] for part in PARTS))
        for split in SPLITS:
            measure(codec, train, args.speech, split, not args.no_wavenet)
    except (InputError, OSError) as error:
        print(f"measure.py: error: {error}", file=sys.stderr)
        return 2
    return 0


def measure(codec: Codec, train: CorpusCodes, speech: Path, split: str, wavenet: bool) -> None:
    found = find_utterances(speech, speech / "manifest.tsv", split)
    names = [u.speaker if u.speaker in codec.speakers else None for u in found]
    codes = [codec.encode_file(utterance.path) for utterance in found]
    lengths = [one.frames for one in codes]
    joined = np.concatenate([one.indices for one in codes])
    rows = np.zeros(len(codes), np.int64)
    held_out = CorpusCodes(joined, np.cumsum(lengths), rows)
    bits = baseline_bits(train, held_out, codec.config.quantizer)
    frames, seconds = sum(lengths), sum(one.seconds for one in codes)
    print(f"\n## {split}: {len(codes)} utterances, {seconds:.0f} s\n")
    told = sum(codec.bits_per_code(c, s) * c.frames for c, s in zip(codes, names, strict=True))
    untold = sum(codec.bits_per_code(c) * c.frames for c in codes)
    bits |= {"prior, any speaker": untold / frames}
    if any(names):
        bits |= {"prior, speaker told": told / frames}
    print("| model of the codes | bits per code | bit/s |\n|---|---:|---:|")
    for name, value in bits.items():
        print(f"| {name} | {value:.3f} | {value * codec.frame_rate:.1f} |")
    _sizes(codec, codes, names, told, seconds)
    if wavenet:
        _per_sample(codec, found, codes, names, told)


def _sizes(codec: Codec, codes, names, estimate: float, seconds: float) -> None:
    print("\n| .vqs | codes, bit/s | whole file, bit/s | times real time |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.vqs"
        codec.save_vqs(codes[0], path, names[0])  # compiles the kernels
        codec.load_vqs(path)
        for packed in (True, False):
            payload = whole = 0
            write = read_ = 0.0
            for one, name in zip(codes, names, strict=True):
                start = time.process_time()
                codec.save_vqs(one, path, name, packed)
                middle = time.process_time()
                again, _, _ = codec.load_vqs(path)
                read_ += time.process_time() - middle
                write += middle - start
                if not np.array_equal(again.indices, one.indices) or again.samples != one.samples:
                    raise InputError("a file came back changed")
                measured = measure_vqs(path)
                payload, whole = payload + 8 * measured.payload, whole + 8 * measured.size
            print(
                f"| {'packed' if packed else 'range-coded'} | {payload / seconds:.1f} | "
                f"{whole / seconds:.1f} | {seconds / write:.0f} writing, "
                f"{seconds / read_:.0f} reading |"
            )
    print(
        f"\nrange-coded payload over the prior's own estimate: {payload / estimate:.4f}; "
        f"plain codes {codec.bit_rate:g} bit/s"
    )


def _per_sample(codec: Codec, found, codes, names, told: float) -> None:
    """log p(x) ≈ log p(x | z_q) + log p(z_q), the paper's section 3.3, in bits per sample."""
    nats, samples = 0.0, sum(one.samples for one in codes)
    stand_in = "other" if "other" in codec.speakers else codec.speakers[0]
    for utterance, one, name in zip(found, codes, names, strict=True):
        step = nats_per_step(codec, read(utterance.path), one, name or stand_in)
        nats += step["right"] * one.frames * codec.config.steps_per_frame
    given = nats / math.log(2) / samples
    prior = told / samples
    print(
        f"\n-log2 p(x) ≈ {given:.4f} + {prior:.4f} = {given + prior:.4f} bits per sample "
        "(given the codes, and for the codes)"
    )


if __name__ == "__main__":
    sys.exit(main())
