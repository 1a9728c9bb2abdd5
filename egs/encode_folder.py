"""Encode every recording of a folder, and say how few bytes are left.

python egs/encode_folder.py egs codes/
"""

import sys
from pathlib import Path

from vqspeech import Codec
from vqspeech.audio.kinds import is_recording


def main(source: str, target: str) -> None:
    codec = Codec.from_pretrained()
    Path(target).mkdir(parents=True, exist_ok=True)
    for path in filter(is_recording, sorted(Path(source).iterdir())):
        codes = codec.encode_file(path)
        codes.save_npy(Path(target, path.stem + ".npy"))
        size = -(-codes.frames * (codec.codebook_size - 1).bit_length() // 8)
        print(f"{path.name}: {codes.seconds:.2f} s, {codes.frames} codes, {size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
