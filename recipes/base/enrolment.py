"""How well new voices are enrolled: `python recipes/base/enrolment.py --speech DIR`, one table.

DIR holds a manifest.tsv with the split eval-unseen. Each of its speakers is enrolled with the
first 30 s of its recordings; the rest is decoded as the new voice and as every trained speaker.
Similarity is the cosine of resemblyzer embeddings with the real rest; the best trained speaker is
the best of all of them by that very figure, an oracle that no user has. `--candidates N` tries only
the N of them that explain the rest best (least log-mel error). `other`, the identity that speakers
share who have too little speech for one of their own, is nobody's voice and stands beside them.
Needs the `eval` extra.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from shared import finish, read_manifest
from tqdm import tqdm

from vqspeech import Codec, audio
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.checkpoint.voices import save_voice
from vqspeech.data.index import OTHER
from vqspeech.evaluation.metrics import networks
from vqspeech.synthesis.enrolment import enroll, nearest_speakers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", required=True, type=Path, metavar="DIR")
    parser.add_argument("--model")
    parser.add_argument("--method", choices=("preview", "wavenet"), default="preview")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--candidates", type=int, default=1_000_000, metavar="N")
    args = parser.parse_args()
    codec = Codec.from_pretrained(args.model)
    rows = [row for row in read_manifest(args.speech) if row["split"] == "eval-unseen"]
    print(f"{codec.name} {codec.fingerprint}, {args.method}, {args.seconds:g} s each\n")
    print("| speaker | rest, s | new voice | best trained | is | `other` | nearest at enrolment "
          "| held-out log-mel, new / nearest | took, s |")  # fmt: skip
    print("|---|---:|---:|---:|---|---:|---|---|---:|")
    better = []
    for speaker in sorted({row["speaker"] for row in rows}):
        paths = [row["path"] for row in rows if row["speaker"] == speaker]
        speech = np.concatenate([audio.read(path, quiet=True) for path in paths])
        cut = round(args.seconds * SAMPLE_RATE)
        better.append(measure(codec, speaker, speech[:cut], speech[cut:], args))
    print(f"\nthe new voice is nearer than every trained one for {sum(better)} of {len(better)}")


def measure(codec: Codec, speaker: str, given: np.ndarray, rest: np.ndarray, args) -> bool:
    """Enrol with `given`, decode `rest`, print a row; whether no trained voice is as near."""
    with tempfile.TemporaryDirectory() as folder:
        wav, file = Path(folder, "given.wav"), Path(folder, "voice.safetensors")
        audio.write(wav, given)
        start = time.perf_counter()
        voice, held = enroll(codec.loaded, speaker, [wav])
        took = time.perf_counter() - start
        save_voice(file, voice)
        codes, real = codec.encode(rest), networks.voice_embedding(rest)

        def alike(name) -> float:
            wave = codec.decode(codes, name, preview=args.method == "preview")
            return networks.speaker_similarity(networks.voice_embedding(wave), real)

        new = alike(file)
        names = [held.nearest, *nearest_speakers(codec.encoder, rest)[: args.candidates]]
        names = dict.fromkeys([*names, *({OTHER} & set(codec.speakers))])
        found = {name: alike(name) for name in tqdm(names, speaker, leave=False)}
    trained = {name: value for name, value in found.items() if name != OTHER}
    best = max(trained, key=trained.get)
    print(
        f"| {speaker} | {len(rest) / SAMPLE_RATE:.1f} | {new:.3f} | {trained[best]:.3f} | {best} "
        f"| {found.get(OTHER, np.nan):.3f} | {found[held.nearest]:.3f} ({held.nearest}) "
        f"| {held.mel:.3f} / {held.nearest_mel:.3f} "
        f"| {took:.0f} |",
        flush=True,
    )
    return new > trained[best]


if __name__ == "__main__":
    finish(main)
