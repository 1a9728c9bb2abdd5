"""The phoneme experiment on a corpus: align, encode, map, judge."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.codes.codes import Codes
from vqspeech.data.corpus import Utterance
from vqspeech.errors import InputError
from vqspeech.evaluation.machine import about
from vqspeech.evaluation.phonemes.accuracy import accuracies, check_enough, gather
from vqspeech.evaluation.phonemes.alignment import UNREADABLE, Alignment, NotAligned
from vqspeech.evaluation.phonemes.report import PhonemeReport
from vqspeech.evaluation.phonemes.untrained import encoded, untrained
from vqspeech.evaluation.protocol import Codec
from vqspeech.evaluation.usage import CodebookUsage

CODEBOOK_UTTERANCES = 100
"""Recordings that the codebook of the untrained encoder is drawn from."""


class _Encoded(NamedTuple):
    """labels: the phoneme of each code, None where the alignment has none."""

    utterance: Utterance
    codes: Codes
    labels: list[str | None]


def measure_phonemes(
    codec: Codec,
    utterances: Sequence[Utterance],
    align: Callable[[Utterance], Alignment],
    *,
    aligned_by: str = "",
    seed: int = 0,
    progress: Callable[[Iterable, int], Iterable] = lambda items, number: items,
) -> PhonemeReport:
    """Compare the codes of `utterances` with the phoneme at the middle of each code's frame.

    Args:
        codec: the model.
        utterances: recordings; those that cannot be read or aligned are counted, by reason.
        align: the alignment of one of them; raises NotAligned, and InputError for a broken file.
        aligned_by: where alignments come from, in words, for the report.
        seed: of the halves, of the shuffled codes and of the untrained encoder.
        progress: wraps an iterable of so many items, to show how far it is.

    Raises InputError: no recording aligned, too few frames for the codebook, a broken file.
    """
    corpus, skipped = [], Counter()
    for utterance in progress(utterances, len(utterances)):
        try:
            corpus.append(_encode(codec, utterance, align(utterance)))
        except NotAligned as reason:
            skipped[str(reason)] += 1
    if not corpus:
        reasons = "; ".join(f"{number} times {why}" for why, number in skipped.most_common())
        raise InputError(f"none of {len(utterances)} recordings can be used: {reasons}")
    labels = [one.labels for one in corpus]
    paths = [one.utterance.path for one in corpus]
    quantizer = codec.loaded.config.quantizer
    random = untrained(codec.loaded.config, paths[:CODEBOOK_UTTERANCES], seed, codec.loaded.device)
    indices = {
        "codes": [one.codes.indices for one in corpus],
        "untrained": [encoded(random, path) for path in progress(paths, len(paths))],
    }
    rows = {
        space: [quantizer.rows(one, np.arange(len(one))) for one in found]
        for space, found in indices.items()
    }
    usage = CodebookUsage(quantizer)
    for one in corpus:
        rate = one.codes.bits_per_second(quantizer.codebook_size)
        usage.add(one.codes.indices, one.codes.samples, rate)
    frames = gather(labels, rows, seed)
    check_enough(frames, quantizer.entries, codec.loaded.config.frame_rate)
    speech = frames.without_silence()
    facts = {
        "codes_per_second": codec.loaded.config.frame_rate,
        "trained": codec.loaded.about.trained,
        "aligned_by": aligned_by,
        "utterances": len(corpus),
        "speakers": len({one.utterance.speaker for one in corpus}),
        "frames": len(frames.phonemes),
        "frames_of_speech": len(speech.phonemes),
        "frames_without_phoneme": sum(map(len, labels)) - len(frames.phonemes),
        "phonemes": list(frames.names),
    }
    return PhonemeReport(
        about=about(codec.loaded, seed) | facts,
        codes=usage.summary(),
        everything=accuracies(frames, quantizer.entries, seed),
        speech=accuracies(speech, quantizer.entries, seed),
        skipped=dict(skipped.most_common()),
    )


def _encode(codec: Codec, utterance: Utterance, alignment: Alignment) -> _Encoded:
    try:
        codes = codec.encode_file(utterance.path)
    except InputError:
        raise NotAligned(UNREADABLE) from None
    middles = (np.arange(codes.frames) + 0.5) * codec.loaded.config.hop / SAMPLE_RATE
    return _Encoded(utterance, codes, alignment.at(middles))
