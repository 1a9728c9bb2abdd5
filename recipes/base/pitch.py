"""Note the median F0 of each speaker in a model's table, so that conversion can move pitch to it.

    python recipes/base/pitch.py MODEL PACKED [--min-minutes 7]

MODEL: folder of a trained model. PACKED: the corpus it was trained on (`vqspeech prepare`). A
quarter of a minute of each speaker is looked at. Only `config.json` changes: weights, codes and the
fingerprint stay what they are. Identities of more than one person get no F0.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vqspeech.checkpoint import CONFIG_FILE, read_about
from vqspeech.data.batches import PackedCorpus
from vqspeech.dsp import SAMPLE_RATE
from vqspeech.errors import InputError
from vqspeech.pitch import median_f0

SECONDS = 15


def speech_by_speaker(corpus: PackedCorpus) -> dict[str, np.ndarray]:
    """About SECONDS of each speaker's training speech: float32 [T] by name."""
    waves: dict[str, list] = {}
    for _, row, wave in corpus.utterances("train"):
        held = waves.setdefault(corpus.speakers[row], [])
        if sum(map(len, held)) < SECONDS * SAMPLE_RATE:
            held.append(wave)
    return {name: np.concatenate(held).astype("f4") / 32768 for name, held in waves.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of the model")
    parser.add_argument("packed", type=Path, help="folder of its packed corpus")
    parser.add_argument("--min-minutes", type=float, default=0.0, help="of speakers looked at")
    args = parser.parse_args()
    path = args.model / CONFIG_FILE
    try:
        read_about(args.model)  # a message of its own for whatever is wrong
        about = json.loads(path.read_text())
        speech = speech_by_speaker(PackedCorpus(args.packed))
        for speaker in tqdm(about["speakers"], unit="speaker", leave=False, disable=None):
            enough = speaker["gender"] and speaker["minutes"] >= args.min_minutes
            if enough and speaker["name"] in speech:
                f0 = median_f0(speech[speaker["name"]])
                speaker["f0"] = round(f0, 1) if np.isfinite(f0) else 0.0
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(json.dumps(about, indent=1) + "\n")
        os.replace(partial, path)
    except (InputError, OSError) as error:
        print(f"pitch.py: error: {error}", file=sys.stderr)
        return 2
    known = [s["f0"] for s in about["speakers"] if s.get("f0")]
    print(f"{path}: F0 of {len(known)} of {len(about['speakers'])} speakers noted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
