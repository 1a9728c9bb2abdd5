"""Keep the first seconds of a recording and let the prior go on, in three ways.

python egs/continue_sentence.py egs/sentence.flac out/ libri-19
"""

import sys
from pathlib import Path

from vqspeech import Codec, audio

KEPT, INVENTED = 2.0, 3.0  # seconds


def main(source: str, target: str, speaker: str) -> None:
    codec = Codec.from_pretrained()
    Path(target).mkdir(parents=True, exist_ok=True)
    start = codec.encode_file(source).cut(end=KEPT)
    for seed in range(3):
        codes = codec.generate_codes(speaker, INVENTED, seed=seed, prompt=start)
        wave = codec.decode(codes, speaker, preview=True)  # without: the WaveNet
        out = Path(target, f"continued-{seed}.wav")
        audio.write(out, wave)
        print(f"{out}: {codes.frames - start.frames} codes that nobody said")


if __name__ == "__main__":
    main(*sys.argv[1:])
