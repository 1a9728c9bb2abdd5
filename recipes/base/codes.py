"""What codes keep, before any WaveNet: models beside one another on held-out speech, one row each.

    python recipes/base/codes.py PACKED MANIFEST MODEL [MODEL ...] [--whisper DIR]

On the `valid` utterances of PACKED (`vqspeech prepare`), never on an evaluation split: this is what
codes are chosen by. MODEL: a folder, or `shipped`. Needs the `eval` extra.

- log-mel: L1 of the predicted log-mel, nats.
- F0: correlation of the predicted log F0 with the recording's, of utterances with enough voice; and
  frames on which both agree that there is a voice.
- words: % of the transcript's that pocketsphinx, and with --whisper Whisper, hears in the preview
  (Griffin-Lim).
- phonemes: % of frames whose code's most frequent phoneme is theirs, and the same without silence;
  learned on one half of 250 aligned utterances of the training speech and judged on the other, both
  ways. PACKED must have its phonemes (recipes/base/phonemes.py).
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from shared import (
    HeldOut,
    codec_of,
    finish,
    held_out,
    spread,
    transcripts_by_name,
    whole_frames,
    words_right,
    workers,
)

from vqspeech import Codec
from vqspeech.audio.pitch import PitchTrack
from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE
from vqspeech.codes.codes import Codes
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import UNKNOWN, F0Track, PhonemeTrack, load_phonemes, track_f0
from vqspeech.errors import InputError
from vqspeech.evaluation.metrics.f0 import compare
from vqspeech.evaluation.metrics.recognisers import Recogniser, choose
from vqspeech.evaluation.phonemes.accuracy import Frames, cross_accuracy
from vqspeech.evaluation.usage import CodebookUsage
from vqspeech.nn.phonemes import PHONEMES

MIN_SECONDS = 2.0
"""Of an utterance that the recogniser is asked about."""
ALIGNED = 250


class Shared(NamedTuple):
    """What all models are measured on."""

    corpus: PackedCorpus
    utterances: list[HeldOut]
    f0: F0Track
    recognisers: tuple[Recogniser, ...]


def shared(packed: Path, manifest: Path, whisper: str | None, limit: int | None = None) -> Shared:
    """What there is of a packed corpus; limit: only so many of its held-out utterances.

    Raises InputError.
    """
    recognisers, note = choose(None, whisper)
    if note is not None:
        print(note, file=sys.stderr)
    for recogniser in recognisers:
        recogniser.check()
    corpus = PackedCorpus(packed)
    utterances = list(held_out(corpus, transcripts_by_name(manifest)))
    if not utterances:
        raise InputError(f"{packed}: holds no speech out; prepare a larger corpus")
    utterances = spread(utterances, len(utterances) if limit is None else limit)
    return Shared(corpus, utterances, track_f0(corpus, lambda done, total: None), recognisers)


def headings(on: Shared) -> str:
    """Of the columns of `on_held_out`."""
    words = " | ".join(f"words ({one.name}), %" for one in on.recognisers)
    return f"log-mel | F0 | voicing, % | {words} | perplexity | codes"


@torch.inference_mode()
def on_held_out(codec: Codec, on: Shared) -> str:
    """The columns of `headings`."""
    model, errors, pitch, jobs = codec.model, [], [], []
    usage = CodebookUsage(codec.config.quantizer)
    for one in on.utterances:
        wave = whole_frames(one.wave, codec.hop)
        indices = model.encode(wave)
        usage.add(indices[0].numpy(), wave.shape[1], codec.bit_rate)
        hidden = model.hidden(indices, codec.speaker_vector(one.speaker))
        off = model.conditioning.log_mel(hidden) - model.target_mel(wave)
        errors.append(float(off.abs().mean()))
        if codec.config.conditioning.pitch_head:
            found = model.conditioning.pitch(hidden).f0()[0].numpy()
            truth = on.f0.at(
                one.row, np.arange(len(found)) * FILTER_BANK_HOP + FILTER_BANK_HOP // 2
            )
            tracks = [PitchTrack(np.where(x > 0, x, np.nan), x > 0) for x in (truth, found)]
            pitch.append(list(compare(*tracks).values()))
        if one.text and len(one.wave) >= MIN_SECONDS * SAMPLE_RATE:
            codes = Codes(indices[0].numpy().astype(np.uint16), len(one.wave), codec.hop, None)
            jobs.append((codec.decode(codes, one.speaker, preview=True), one.text))
    heard = []
    with workers() as pool:
        for ears in on.recognisers:
            counts = pool.map(partial(words_right, ears=ears), jobs)
            right, said = np.sum([(0, 0), *counts], 0)
            heard.append(f"{100 * right / max(said, 1):.1f} of {said}")
    used = usage.summary()
    correlation, agreement = np.nanmean(pitch, 0) if pitch else (np.nan, np.nan)
    return (
        f"{np.mean(errors):.3f} | {correlation:.3f} | {agreement:.1f} | "
        f"{' | '.join(heard)} | "
        f"{used['perplexity']:.0f} | {used['used']}"
    )


@torch.inference_mode()
def on_phonemes(codec: Codec, corpus: PackedCorpus, phonemes: PhonemeTrack) -> str:
    """Columns: accuracy of all frames, and of those that are no silence, in %."""
    rows = [row for row in corpus.rows("train") if (phonemes.of(row) != UNKNOWN).any()]
    rows = rows[:: max(1, len(rows) // ALIGNED)][:ALIGNED]
    codes, labels = [], []
    for row in rows:
        wave = corpus.audio(row).astype(np.float32) / 32768
        indices = codec.model.encode(whole_frames(wave, codec.hop))
        codes.append(codec.model.quantizer.rows(indices)[0].numpy())
        middles = np.arange(len(codes[-1])) * codec.hop + codec.hop // 2
        labels.append(phonemes.at(row, middles))
    known = np.concatenate(labels) != UNKNOWN
    first = np.repeat(np.arange(len(rows)) % 2 == 0, [len(one) for one in codes])[known]
    rows_known = {"codes": np.concatenate(codes)[known]}
    frames = Frames(np.concatenate(labels)[known], first, rows_known, PHONEMES)
    entries = codec.config.quantizer.entries
    found = [
        cross_accuracy(some.codes["codes"], *some[:2], entries, len(PHONEMES)).mean
        for some in (frames, frames.without_silence())
    ]
    return " | ".join(f"{100 * share:.1f}" for share in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--whisper", metavar="DIR", help="Whisper's model, in CTranslate2's format")
    args = parser.parse_args()
    on = shared(args.packed, args.manifest, args.whisper)
    phonemes = load_phonemes(on.corpus)
    if phonemes is None:
        raise InputError(f"{args.packed}: has no phonemes; run recipes/base/phonemes.py first")
    columns = f"{headings(on)} | phonemes, % | without silence"
    print(f"| model | {columns} |\n|---|{'---:|' * (columns.count('|') + 1)}")
    for name in args.models:
        codec = codec_of(name)
        print(
            f"| {name} | {on_held_out(codec, on)} | {on_phonemes(codec, on.corpus, phonemes)} |",
            flush=True,
        )


if __name__ == "__main__":
    finish(main)
