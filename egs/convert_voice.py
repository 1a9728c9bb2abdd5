"""Say a recording in three other voices: the women, or the men, with most training speech.

python egs/convert_voice.py egs/sentence.flac out/ m
"""

import sys
from pathlib import Path

from vqspeech import Codec
from vqspeech.checkpoint.speakers import select


def main(source: str, target: str, gender: str = "m") -> None:
    codec = Codec.from_pretrained()
    Path(target).mkdir(parents=True, exist_ok=True)
    for speaker in select(codec.speaker_table, gender, order="minutes")[:3]:
        out = Path(target, speaker.name + ".wav")
        codec.convert_file(source, out, speaker.name, preview=True)  # without: the WaveNet
        print(f"{out}: {speaker.minutes:.1f} minutes of this voice in training")


if __name__ == "__main__":
    main(*sys.argv[1:])
