"""How fast the shipped model encodes and decodes, and what memory an hour of speech takes.

    python recipes/bench/codec.py [--rounds 9] [--hour] [--recording FILE]

Times are of the calls that `vqspeech encode` (but for refining a voice) and `vqspeech decode` make,
on 60 s of the sentence in egs/ over and over (or of FILE, of one channel), after one such call to
warm up; a ratio to real time is seconds of speech over seconds of work.
With --hour the command line itself encodes an hour-long file, and its largest memory is reported.
"""

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

SENTENCE = Path(__file__).parents[2] / "egs" / "sentence.flac"
SECONDS = 60


def write_speech(path: Path, seconds: int, recording: Path) -> None:
    """A recording (one channel) over and over, as a 16-bit WAV file of `seconds`."""
    sentence, rate = soundfile.read(recording, dtype="int16")
    samples = seconds * rate
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        while samples > 0:
            file.write(sentence[:samples])
            samples -= len(sentence)


def speeds(call, rounds: int) -> list[float]:
    """Ratios to real time of `rounds` calls, each on SECONDS of speech, lowest first."""
    call()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        found.append(SECONDS / (time.perf_counter() - start))
    return sorted(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--hour", action="store_true", help="also encode an hour-long file")
    parser.add_argument("--recording", type=Path, default=SENTENCE, metavar="FILE")
    args = parser.parse_args()
    import torch

    from vqspeech import Codec

    codec = Codec.from_pretrained(device="cpu")
    print(f"{platform.machine()}, {torch.get_num_threads()} threads; times real time")
    with tempfile.TemporaryDirectory() as folder:
        wav, out = Path(folder, "in.wav"), Path(folder, "codes.npy")
        write_speech(wav, SECONDS, args.recording)
        codes, highest = codec.encode_file(wav), codec.bit_rates[-1]
        finest = codec.encode_file(wav, bitrate=highest)
        decoded, voice = Path(folder, "decoded.wav"), codec.speakers[0]
        calls = {
            "encode": lambda: codec.encode_file(wav),
            "encode, searched": lambda: codec.encode_file(wav, search=True),
            f"encode, {highest:g} bit/s": lambda: codec.encode_file(wav, bitrate=highest),
            "preview": lambda: codec.decode_file(codes, decoded, voice, preview=True),
            "decode": lambda: codec.decode_file(codes, decoded, voice),
            f"decode, {highest:g} bit/s": lambda: codec.decode_file(finest, decoded, voice),
            "without post-filter": lambda: codec.decode_file(
                codes, decoded, voice, postfilter=False
            ),
        }
        for name, call in calls.items():
            ratios = speeds(call, args.rounds)
            low, high = ratios[0], ratios[-1]
            print(f"{name:>20} {statistics.median(ratios):6.1f} ({low:.1f} to {high:.1f})")
        if args.hour:
            write_speech(wav, 3600, args.recording)
            command = [sys.executable, "-m", "vqspeech", "encode", str(wav), str(out)]
            subprocess.run(command, check=True)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"an hour: {len(np.load(out)):,} codes, at most {peak:,.0f} MiB of memory")
    return 0


if __name__ == "__main__":
    sys.exit(main())
