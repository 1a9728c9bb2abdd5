"""Note the phonemes of a packed corpus, for codes that keep them (`conditioning.phoneme_head`).

    python recipes/base/phonemes.py MANIFEST PACKED [--root ROOT] [--jobs 2]

MANIFEST: with the columns `speaker`, `file` and `transcript` (US English). PACKED: what
`vqspeech prepare ROOT` made of it. Its own audio is aligned to the transcripts by pocketsphinx
(extra `eval`; some 40 times real time a core). Utterances that have none, or words that the
dictionary lacks, stay unknown. Does nothing if it has been done.
"""

import argparse
import os
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
from shared import finish, transcripts_by_name, workers
from tqdm import tqdm

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import PHONEME_HOP, UNKNOWN, load_phonemes, save_phonemes
from vqspeech.errors import InputError
from vqspeech.evaluation import extras
from vqspeech.nn.phonemes import PHONEMES


@cache
def _aligner():
    from vqspeech.evaluation.phonemes.forced_alignment import ForcedAligner

    return ForcedAligner()


@cache
def _corpus_in(folder: Path) -> PackedCorpus:
    return PackedCorpus(folder)


def labels(job: tuple[Path, int, str]) -> tuple[np.ndarray, str]:
    """(phonemes int8 [ceil(T / 160)], why they are unknown) of a row of a packed corpus.

    job: the corpus's folder, the row and its transcript.
    """
    from vqspeech.evaluation.phonemes.alignment import NotAligned
    from vqspeech.evaluation.phonemes.forced_alignment import MAX_SECONDS

    folder, row, transcript = job
    audio = _corpus_in(folder).audio(row)
    found = np.full(-(-len(audio) // PHONEME_HOP), UNKNOWN, np.int8)
    if not transcript:
        return found, "no transcript"
    if len(audio) > MAX_SECONDS * SAMPLE_RATE:
        return found, f"longer than {MAX_SECONDS:g} s"
    try:
        alignment = _aligner()(audio.astype(np.float32) / 32768, transcript)
    except NotAligned as reason:
        return found, str(reason)
    middles = (np.arange(len(found)) * PHONEME_HOP + PHONEME_HOP // 2) / SAMPLE_RATE
    places = {phoneme: place for place, phoneme in enumerate(PHONEMES)}
    found[:] = [places.get(phoneme, UNKNOWN) for phoneme in alignment.at(middles)]
    return found, ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("packed", type=Path)
    parser.add_argument(
        "--root",
        type=Path,
        metavar="ROOT",
        help="of `vqspeech prepare`, where that is not the manifest's folder",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    extras.check(["pocketsphinx"])
    corpus = PackedCorpus(args.packed)
    if load_phonemes(corpus) is not None:
        print(f"{args.packed}: has its phonemes already")
        return
    known = transcripts_by_name(args.manifest, args.root)
    names = corpus.index["utterances"]["name"]
    if not known.keys() & set(names):
        # All would be unknown, be kept so, and be taken for what is known of this corpus.
        raise InputError(
            f"{args.manifest}: names no utterance of {args.packed} (such as {names[0]}); give the "
            "manifest that it was prepared from, and the ROOT of that as --root"
        )
    jobs = [(corpus.folder, row, known.get(name, "")) for row, name in enumerate(names)]
    found, reasons, aligned = [], Counter(), 0
    with workers(args.jobs) as pool:
        results = pool.map(labels, jobs, chunksize=8)
        for one, reason in tqdm(results, total=len(names), leave=False, disable=None):
            found.append(one)
            reasons[reason] += bool(reason)
            aligned += len(one) if not reason else 0
    path = save_phonemes(corpus, found)
    left = "; ".join(f"{reason}: {count}" for reason, count in reasons.most_common() if count)
    hours = aligned * PHONEME_HOP / SAMPLE_RATE / 3600
    print(f"{path}: {hours:.2f} h aligned; left out: {left or 'none'}")


if __name__ == "__main__":
    finish(main)
