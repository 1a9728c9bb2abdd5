"""Encode every recording of a folder, and say how few bytes are left; a.wav becomes a.wav.npy, as
there may be an a.flac, too.

python egs/encode_folder.py egs codes/
"""

import sys
from pathlib import Path

from vqspeech import Codec, InputError
from vqspeech.audio.kinds import is_recording


def main(source: str, target: str) -> None:
    codec = Codec.from_pretrained()
    Path(target).mkdir(parents=True, exist_ok=True)
    for path in filter(is_recording, sorted(Path(source).iterdir())):
        try:
            codes = codec.encode_file(path)
        except InputError as error:
            print(f"left out: {error}")
            continue
        codes.save_npy(Path(target, path.name + ".npy"))
        size = -(-codes.frames * (codec.codebook_size - 1).bit_length() // 8)
        print(f"{path.name}: {codes.seconds:.2f} s, {codes.frames} codes, {size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
