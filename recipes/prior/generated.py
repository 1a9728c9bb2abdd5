"""Generate utterances and look at them: silence, monotony, the codes used, the voice, a picture.

    pip install '.[eval,bench]'
    python recipes/prior/generated.py --speech DIR --run exp/base/run --out exp/generated

DIR holds recordings and a manifest.tsv: voices to compare with. The run holds codes.safetensors,
real speech's codes to compare with. Sound is the preview's
(Griffin-Lim), which costs less than the WaveNet's; --wavenet takes that one.
"""

import argparse
import sys
from itertools import groupby
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from vqspeech import Codec, audio
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.corpus import find_utterances
from vqspeech.errors import InputError
from vqspeech.training.corpus_codes import CODES_FILE, CorpusCodes

VOICES = 10
REFERENCES = 3
"""Real recordings a speaker that stand for the voice."""
SHOWN = 12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--model")
    parser.add_argument("--wavenet", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        codec = Codec.from_pretrained(args.model, device="cpu")
        kept = load_file(args.run / CODES_FILE)
        real = CorpusCodes(*(kept[f"train.{part}"] for part in ("indices", "ends", "speakers")))
        return generate(codec, real, args)
    except InputError as error:
        print(f"generated.py: error: {error}", file=sys.stderr)
        return 2


def generate(codec: Codec, real: CorpusCodes, args: argparse.Namespace) -> int:
    quantizer = codec.config.quantizer
    voices = most_heard(codec, VOICES)
    waves, lists, speakers = [], [], []
    for seed in range(args.count):
        speaker = voices[seed % len(voices)]
        options = {"temperature": args.temperature, "top_p": args.top_p}
        codes = codec.generate_codes(speaker, args.seconds, seed=seed, **options)
        waves.append(codec.decode(codes, speaker, seed=seed, preview=not args.wavenet))
        lists.append(codec.codebook_rows(codes))
        speakers.append(speaker)
        audio.write(args.out / f"{seed:03d}-{speaker}.wav", waves[-1])
    levels = [20 * np.log10(np.sqrt(np.mean(wave**2)) + 1e-9) for wave in waves]
    runs = [longest_repetition(one, quantizer.codebooks) for one in lists]
    print(f"{len(waves)} utterances of {args.seconds:g} s, {len(voices)} speakers")
    print(f"quietest: {min(levels):.1f} dB re full scale (the nominal level is -26)")
    print(f"longest repetition of codes: {max(runs) / codec.frame_rate:.2f} s")
    kl = divergence(real.rows(quantizer), np.concatenate(lists), quantizer.entries)
    print(f"code histogram: {kl:.3f} bits KL from real")
    same, other = shared_triples(lists), shared_with_real(lists, real.rows(quantizer))
    print(f"triples of codes that another utterance has too: {100 * same:.1f} %")
    print(f"triples that real speech has: {100 * other:.1f} %")
    own, others = voice_similarity(args.speech, waves, speakers, voices)
    print(f"speaker similarity to the named speaker {own:.3f}, to the others {others:.3f}")
    sheet(waves, speakers, args.out / "sheet.png")
    return 0


def most_heard(codec: Codec, number: int) -> list[str]:
    rows = [row for row in codec.speaker_table if row.name != "other"]
    return [row.name for row in sorted(rows, key=lambda row: -row.minutes)[:number]]


def longest_repetition(rows: np.ndarray, books: int) -> int:
    """Frames for which each code is what the last one of its codebook was."""
    same = rows[books:] == rows[:-books]
    return max((len(list(group)) for alike, group in groupby(same) if alike), default=0) + books


def divergence(real: np.ndarray, generated: np.ndarray, size: int) -> float:
    """KL(generated || real) of the code histograms, in bits; a count of 1/2 is added to each."""
    p = np.bincount(generated, minlength=size) + 0.5
    q = np.bincount(real, minlength=size) + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log2(p / q)).sum())


def triples(codes: np.ndarray) -> set[tuple[int, int, int]]:
    return set(zip(codes.tolist(), codes[1:].tolist(), codes[2:].tolist(), strict=False))


def shared_triples(lists: list[np.ndarray]) -> float:
    """Share of an utterance's triples that the next utterance has too."""
    found = [triples(one) for one in lists]
    following = found[1:] + found[:1]
    return float(np.mean([len(a & b) / len(a) for a, b in zip(found, following, strict=True)]))


def shared_with_real(lists: list[np.ndarray], real: np.ndarray) -> float:
    known = triples(real)
    return float(np.mean([len(triples(one) & known) / len(triples(one)) for one in lists]))


def voice_similarity(speech: Path, waves, speakers, voices) -> tuple[float, float]:
    """Mean cosine of the embeddings of generated utterances and of real recordings.

    (with recordings of the named speaker, with those of the other speakers).
    """
    from vqspeech.evaluation.metrics.networks import voice_embedding

    found, real = find_utterances(speech, speech / "manifest.tsv"), []
    for name in voices:
        files = [utterance.path for utterance in found if utterance.speaker == name]
        rows = [voice_embedding(audio.read(path)) for path in files[:REFERENCES]]
        rows = [row for row in rows if row is not None]
        if not rows:
            raise InputError(f"{speech}: has no recording of {name} to compare its voice with")
        real.append(np.mean(rows, axis=0))
    rows = [voice_embedding(wave) for wave in waves]
    kept = [i for i, row in enumerate(rows) if row is not None]
    cosines = np.stack([rows[i] for i in kept]) @ np.stack(real).T
    named = np.array([voices.index(speakers[i]) for i in kept])[:, None] == np.arange(len(voices))
    return float(cosines[named].mean()), float(cosines[~named].mean())


def sheet(waves: list[np.ndarray], speakers: list[str], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    number = min(SHOWN, len(waves))
    figure, places = plt.subplots((number + 2) // 3, 3, figsize=(15, 2.2 * ((number + 2) // 3)))
    for wave, speaker, place in zip(waves, speakers, places.flat, strict=False):
        place.specgram(
            wave, NFFT=512, Fs=SAMPLE_RATE, noverlap=384, vmin=-140, vmax=-40, cmap="magma"
        )
        place.set_title(speaker, fontsize=8)
        place.set_ylim(0, 8000)
    figure.tight_layout()
    figure.savefig(path, dpi=70)


if __name__ == "__main__":
    sys.exit(main())
