"""What a recogniser needs of a log-mel: words through Griffin-Lim of true, blurred, predicted ones.

    python recipes/base/blur.py PACKED MANIFEST MODEL

On the `valid` utterances of PACKED (`vqspeech prepare`) with a transcript in MANIFEST, never on an
evaluation split. MODEL: a folder, or `shipped`. Needs the `eval` extra.

- words: % of the transcripts' that pocketsphinx hears.
- off: L1 from the recording's log-mel, nats.
- change: mean difference of neighbouring frames, nats.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from codes import MIN_SECONDS, heard, padded
from phonemes import transcripts_by_name
from scipy.ndimage import gaussian_filter1d

from vqspeech import Codec
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.synthesis.griffin_lim import griffin_lim
from vqspeech.synthesis.postfilter import with_onsets

WAYS = {
    "the recording's": lambda true, said: true,
    "blurred in time, deviation 15 ms": lambda true, said: gaussian_filter1d(true, 1.5, 1),
    "blurred over bands, deviation 2": lambda true, said: gaussian_filter1d(true, 2.0, 0),
    "predicted": lambda true, said: said,
    "predicted, with onsets": lambda true, said: with_onsets(torch.from_numpy(said)).numpy(),
}
"""Log-mels [mels, n] made of the recording's and of the predicted one."""


def sound(log_mel: np.ndarray) -> np.ndarray:
    return griffin_lim(log_mel.astype(np.float32))


@torch.inference_mode()
def utterances(codec: Codec, corpus: PackedCorpus, texts: dict[str, str]):
    """(true log-mel, predicted log-mel, transcript) of each."""
    columns, model = corpus.index["utterances"], codec.model
    for row in corpus.rows("valid"):
        text, samples = texts.get(columns["name"][row]), int(columns["samples"][row])
        if not text or samples < MIN_SECONDS * SAMPLE_RATE:
            continue
        wave = padded(corpus, row, codec.hop)
        speaker = codec.speaker_vector(corpus.speakers[columns["speaker"][row]])
        said = model.conditioning.log_mel(model.hidden(model.encode(wave), speaker))
        yield model.target_mel(wave)[0].numpy(), said[0].numpy(), text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("model", metavar="MODEL")
    args = parser.parse_args()
    try:
        codec = Codec.from_pretrained(None if args.model == "shipped" else args.model, "cpu")
        texts = transcripts_by_name(args.manifest)
        found = list(utterances(codec, PackedCorpus(args.packed), texts))
    except (InputError, OSError) as error:
        print(f"blur.py: error: {error}", file=sys.stderr)
        return 2
    print("| log-mel | words, % | off | change |\n|---|---:|---:|---:|")
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for name, way in WAYS.items():
            mels = [way(true, said) for true, said, _ in found]
            waves = pool.map(sound, mels)
            texts_too = [(wave, text) for wave, (_, _, text) in zip(waves, found, strict=True)]
            right, said = np.sum(list(pool.map(heard, texts_too)), 0)
            off = [np.abs(mel - true).mean() for mel, (true, _, _) in zip(mels, found, strict=True)]
            change = [np.abs(np.diff(mel, axis=1)).mean() for mel in mels]
            words = f"{100 * right / said:.1f} of {said}"
            print(f"| {name} | {words} | {np.mean(off):.3f} | {np.mean(change):.3f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
