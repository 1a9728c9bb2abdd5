"""An hour of speech through `encode - -` and `decode - -`: what memory each process takes.

python recipes/robustness/pipe.py --minutes 60 [--preview]

A generator repeats the sentence of egs/ as WAV of open length, at 48 kHz stereo, as fast as it is
taken. Exit status 1 if a process takes more than 1.5 GB, fails, or loses a sample.
"""

import argparse
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

RATE, CHANNELS, OPEN = 48_000, 2, 0xFFFFFFFF
MOST_KB = 1_500_000
SPEECH = Path(__file__).parents[2] / "egs" / "sentence.flac"
VQSPEECH = (sys.executable, "-m", "vqspeech")


def speak(minutes: float) -> None:
    """The recording, to standard output."""
    import numpy as np
    import soundfile
    import soxr

    wave, rate = soundfile.read(SPEECH, dtype="float32")
    wave = soxr.resample(wave, rate, RATE)
    pcm = (np.repeat(wave[:, None], CHANNELS, 1) * 32767).astype("<i2")
    out, left = sys.stdout.buffer, round(minutes * 60 * RATE)
    shape = (b"fmt ", 16, 1, CHANNELS, RATE, 2 * CHANNELS * RATE, 2 * CHANNELS, 16)
    out.write(struct.pack("<4sI4s4sIHHIIHH", b"RIFF", OPEN, b"WAVE", *shape))
    out.write(struct.pack("<4sI", b"data", OPEN))
    while left:
        part = pcm[:left]
        out.write(part.tobytes())
        left -= len(part)


def measure(minutes: float, preview: bool) -> bool:
    """Whether the pipe keeps its promises; prints what was found."""
    decode = [*VQSPEECH, "decode", "-", "-", "--speaker", "libri-19"]
    commands = {
        "speak": [sys.executable, __file__, "--speak", "--minutes", str(minutes)],
        "encode": [*VQSPEECH, "encode", "-", "-"],
        "decode": [*decode, "--preview"] if preview else decode,
    }
    begun, source, running = time.monotonic(), subprocess.DEVNULL, {}
    for name, command in commands.items():
        running[name] = process = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE)
        if source is not subprocess.DEVNULL:
            source.close()
        source = process.stdout
    first, size = None, 0
    while data := source.read1(1 << 16):
        if len(data) and size + len(data) > 44 and first is None:
            first, speaking = time.monotonic() - begun, running["speak"].poll() is None
        size += len(data)
    good = True
    for name, process in running.items():
        _, status, used = os.wait4(process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        print(f"{name}: exit {code}, {used.ru_maxrss / 1000:.0f} MB, {used.ru_utime:.0f} s of CPU")
        good = good and code == 0 and used.ru_maxrss < MOST_KB
    samples = (size - 44) // 2
    print(
        f"{samples / 16_000:.2f} s of {minutes * 60:.2f} s came out in "
        f"{time.monotonic() - begun:.0f} s, the first after {first:.1f} s"
        + (", before the input had ended" if speaking else ", after the input had ended")
    )
    return good and samples == round(minutes * 60 * 16_000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--preview", action="store_true")
    parser.add_argument("--speak", action="store_true")
    args = parser.parse_args()
    if args.speak:
        speak(args.minutes)
        return 0
    return 0 if measure(args.minutes, args.preview) else 1


if __name__ == "__main__":
    sys.exit(main())
