"""Round trips through .vqs: recordings and 1,000 random sequences, both modes, exact everywhere.

    python recipes/prior/round_trip.py [--speech DIR] [--model M] [--sequences 1000]

Random sequences have 0 to 10,000 codes: uniform, one code over and over, and ones that the prior
finds unlikely. With --speech every recording of the manifest's evaluation splits goes too. At the
end the same sequences are written by processes with other numbers of threads and by kernels
compiled for a generic processor: the bytes must be the same.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from vqspeech import Codec
from vqspeech.codes.bitstream import SHORT_PRIOR, Header
from vqspeech.codes.vqs import load_vqs, save_vqs
from vqspeech.data.corpus import find_utterances
from vqspeech.errors import InputError

LONGEST = 10_000
SHOWN = 12
"""Sequences that the other processes write."""
PROCESSES = {
    "1 thread": {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
    "4 threads": {"OMP_NUM_THREADS": "4", "NUMBA_NUM_THREADS": "4"},
    "generic processor": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--digest", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    codec = Codec.from_pretrained(args.model, device="cpu")
    if args.digest:
        print(digest(codec))
        return 0
    try:
        if args.speech:
            print(f"{recordings(codec, args.speech)} recordings: exact, both modes")
        for number in range(args.sequences):
            check(codec, sequence(codec, number), number)
        print(f"{args.sequences} random sequences: exact, both modes")
        compare(args, digest(codec))
    except InputError as error:
        print(f"round_trip.py: error: {error}", file=sys.stderr)
        return 1
    return 0


def sequence(codec: Codec, number: int, longest: int = LONGEST) -> np.ndarray:
    """Codes uint16 [0 to `longest`]; every third uniform, constant, or against the prior."""
    rng = np.random.default_rng(number)
    size = codec.codebook_size
    # Mostly short ones, and the longest.
    frames = 0 if number == 0 else longest if number == 1 else int(longest * rng.random() ** 6)
    kind = number % 3
    if kind == 0:
        return rng.integers(size, size=frames).astype(np.uint16)
    if kind == 1:
        return np.full(frames, rng.integers(size), np.uint16)
    # Codes that are rare after each other: the likeliest continuation is never taken.
    back = np.arange(frames) * int(rng.integers(1, size)) + rng.integers(2, size=frames)
    return (back % size).astype(np.uint16)


def header_of(codec: Codec, codes: np.ndarray, packed: bool, speaker: str) -> Header:
    prior = "" if packed else codec.loaded.prior.fingerprint[:SHORT_PRIOR]
    samples = len(codes) * codec.hop
    sizes = (codec.hop, codec.codebook_size, samples)
    return Header(codec.codes_identity, prior, *sizes, codec.name, speaker)


def check(codec: Codec, codes: np.ndarray, number: int) -> None:
    speaker = ["", *codec.speakers][number % (1 + len(codec.speakers))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.vqs"
        for packed in (False, True):
            header = header_of(codec, codes, packed, speaker)
            save_vqs(path, header, codes, codec.block_coder(header))
            found = load_vqs(path, codec.block_coder)
            if found.header != header or not np.array_equal(found.codes, codes):
                raise InputError(f"sequence {number} came back changed (packed: {packed})")


def recordings(codec: Codec, speech: Path) -> int:
    found = find_utterances(speech, speech / "manifest.tsv", "eval-seen,eval-unseen")
    for number, utterance in enumerate(found):
        check(codec, codec.encode_file(utterance.path).indices, number)
    return len(found)


def digest(codec: Codec) -> str:
    """Hash of the files of a few sequences, and of codes drawn from the prior."""
    found = hashlib.blake2b(digest_size=16)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.vqs"
        for number in range(SHOWN):
            codes = sequence(codec, number, 3000)
            header = header_of(codec, codes, False, codec.speakers[number % len(codec.speakers)])
            save_vqs(path, header, codes, codec.block_coder(header))
            found.update(path.read_bytes())
    found.update(codec.generate_codes(seed=1, seconds=10, top_p=0.9).indices.tobytes())
    return found.hexdigest()


def compare(args: argparse.Namespace, expected: str) -> None:
    with tempfile.TemporaryDirectory() as cache:
        for name, changes in PROCESSES.items():
            folder = Path(cache) / name.replace(" ", "-")  # kernels of its own, compiled anew
            environment = os.environ | changes | {"NUMBA_CACHE_DIR": str(folder)}
            command = [sys.executable, __file__, "--digest"]
            command += ["--model", args.model] if args.model else []
            run = subprocess.run(command, env=environment, capture_output=True, text=True)
            if run.returncode or run.stdout.strip() != expected:
                raise InputError(f"{name}: wrote other bytes, or failed: {run.stderr[-500:]}")
            print(f"{name}: the same bytes ({expected})")


if __name__ == "__main__":
    sys.exit(main())
