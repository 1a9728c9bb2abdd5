"""Feed the .vqs reader rubbish for a while: only clear errors, in little time and memory.

    python recipes/prior/fuzz.py [--minutes 5] [--seed 0] [--model M]

Files of both modes are cut, flipped, spliced, reordered, lengthened, given declared sizes of their
own (with the checksums put right, so that what is behind them is reached), and read with and
without --salvage. Anything but codes or an InputError of one line ends the run, and so does a read
that takes more than 20 s or, beyond what is warm, 64 MB.
"""

import argparse
import struct
import sys
import tempfile
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np

from vqspeech import Codec
from vqspeech.codes.bitstream import header_bytes, read_header
from vqspeech.codes.vqs import load_vqs, measure_vqs
from vqspeech.errors import InputError

LONGEST_SECONDS, MOST_BYTES = 20.0, 64e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model")
    args = parser.parse_args()
    codec = Codec.from_pretrained(args.model, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.vqs"
        corpus = [seed_file(codec, path, frames, packed) for frames in (1, 30, 1030) for packed in
                  ((False, True) if codec.has_prior else (True,))]  # fmt: skip
        rng = np.random.default_rng(args.seed)
        stop, tried, refused, slowest, largest = time.monotonic() + 60 * args.minutes, 0, 0, 0.0, 0
        tracemalloc.start()
        while time.monotonic() < stop:
            data = mutated(rng, corpus)
            path.write_bytes(data)
            tracemalloc.reset_peak()
            before, start = tracemalloc.get_traced_memory()[0], time.process_time()
            for read in (
                lambda: load_vqs(path, codec.block_coder),
                lambda: load_vqs(path, codec.block_coder, salvage=True),
                lambda: measure_vqs(path),
            ):
                tried += 1
                try:
                    read()
                except InputError as error:
                    refused += 1
                    assert "\n" not in str(error), data
                except BaseException:
                    print(f"fuzz.py: failed on {data[:3000].hex()}", file=sys.stderr)
                    raise
            seconds = time.process_time() - start
            taken = tracemalloc.get_traced_memory()[1] - before
            slowest, largest = max(slowest, seconds), max(largest, taken)
            if seconds > LONGEST_SECONDS or taken > MOST_BYTES:
                print(f"fuzz.py: {seconds:.1f} s, {taken} bytes on {data[:3000].hex()}")
                return 1
    print(
        f"{tried:,} reads, {refused:,} refused, no crash; "
        f"slowest file {slowest:.2f} s, largest allocation {largest / 1e6:.2f} MB"
    )
    return 0


def seed_file(codec: Codec, path: Path, frames: int, packed: bool) -> bytes:
    indices = np.random.default_rng(frames).integers(codec.codebook_size, size=frames)
    from vqspeech import Codes

    codes = Codes(indices, frames * codec.hop - 5, codec.hop)
    codec.save_vqs(codes, path, codec.speakers[0], packed)
    return path.read_bytes()


def mutated(rng: np.random.Generator, corpus: list[bytes]) -> bytes:
    """One of the files after one to four accidents."""
    data = bytearray(corpus[rng.integers(len(corpus))])
    for _ in range(rng.integers(1, 5)):
        if not data:
            break
        kind, at = rng.integers(9), int(rng.integers(len(data)))
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            data[at : at + int(rng.integers(1, 40))] = rng.bytes(int(rng.integers(0, 40)))
        elif kind == 3:
            data += rng.bytes(int(rng.integers(1, 3000)))
        elif kind == 4:
            other = corpus[rng.integers(len(corpus))]
            data = data[:at] + other[int(rng.integers(len(other))) :]
        elif kind == 5:
            to = int(rng.integers(len(data)))
            data[min(at, to) : max(at, to)] = data[min(at, to) : max(at, to)] * 2
        elif kind == 6:
            data += b"\xb1\x5c\x00\x80\x20" * int(rng.integers(1, 400))
        elif kind == 7:
            data = declared(rng, data)
        else:
            data = with_right_sums(rng, data)
    return bytes(data)


def declared(rng: np.random.Generator, data: bytearray) -> bytearray:
    """Another number of samples, and a header whose checksum is right."""
    try:
        header, at = read_header(bytes(data))
    except InputError:
        return data
    from dataclasses import replace

    samples = int(2 ** (40 * rng.random()))
    return bytearray(header_bytes(replace(header, samples=samples))) + data[at:]


def with_right_sums(rng: np.random.Generator, data: bytearray) -> bytearray:
    """A block of rubbish whose checksum is right: what only hostile hands make."""
    try:
        header, at = read_header(bytes(data))
    except InputError:
        return data
    payload = rng.bytes(int(rng.integers(0, 300)))
    block = (
        b"\xb1\x5c"
        + bytes([int(rng.integers(3)), len(payload) & 127])
        + payload[: len(payload) & 127]
    )
    if header.prior:
        block += rng.bytes(2)
    block += struct.pack("<I", zlib.crc32(block, struct.unpack("<I", data[at - 4 : at])[0]))
    return data[:at] + block + data[at:]


if __name__ == "__main__":
    sys.exit(main())
