"""The ways that a recording can go before it is measured, by the names that --methods takes."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from vqspeech.errors import InputError
from vqspeech.evaluation import codecs

if TYPE_CHECKING:
    from vqspeech.codec import Codec

ORIGINAL, PREVIEW, WAVENET = "original", "preview", "wavenet"
UNFILTERED = "wavenet-unfiltered"
CONVERT_PREVIEW, CONVERT_WAVENET = "convert-preview", "convert-wavenet"
CONVERTING = (CONVERT_PREVIEW, CONVERT_WAVENET)

METHODS = (ORIGINAL, PREVIEW, WAVENET, UNFILTERED, *CONVERTING, *codecs.BY_NAME)
"""`original`: the recordings themselves; `preview`: Griffin-Lim from the codes; `wavenet`, with its
post-filter and without; `convert-`: the same, as another speaker; then other people's codecs."""

MODEL = (PREVIEW, WAVENET, UNFILTERED)
"""Decoders of the model's codes: they cost the same bits."""
SAMPLED = (WAVENET, UNFILTERED, CONVERT_WAVENET)
"""What is drawn at random, and so measured with several seeds."""

HEADINGS = {
    ORIGINAL: "original",
    PREVIEW: "preview (Griffin-Lim)",
    WAVENET: "WaveNet, free-running",
    UNFILTERED: "WaveNet without post-filter",
    CONVERT_PREVIEW: "converted, preview",
    CONVERT_WAVENET: "converted, WaveNet",
} | {codec.name: codec.heading for codec in codecs.CODECS}

SHORT = {PREVIEW: "preview", WAVENET: "WaveNet", UNFILTERED: "unfiltered"}
"""Headings where there is little room."""


class Take(NamedTuple):
    """One decoding of a recording. seed: 0 for what is not drawn at random."""

    method: str
    seed: int = 0


def possible(
    codec: "Codec",
    methods: Sequence[str],
    groups: Collection[str],
    targets: Sequence,
    converted: Collection[str],
) -> tuple[tuple[str, ...], list[str]]:
    """(the `methods` that can be run here, a line for each that cannot).

    groups: of metrics, that are asked for. targets: voices to convert to. converted: the groups of
    metrics that conversion has.
    """
    kept, notes = [], []
    for method in methods:
        reason = None
        if method in codecs.BY_NAME:
            reason = codecs.absent(codecs.BY_NAME[method])
        elif method in CONVERTING and not set(groups) & set(converted):
            reason = f"{method} was left out: it is measured by {', '.join(converted)} only"
        elif method in CONVERTING and not targets:
            reason = f"{method} was left out: there is no recording of another voice of the model"
        elif method != ORIGINAL:
            reason = _undecodable(codec, method)
        if reason is None:
            kept.append(method)
        else:
            notes.append(reason)
    return tuple(kept), notes


def _undecodable(codec: "Codec", method: str) -> str | None:
    try:
        codec.check_decodable(preview=method not in SAMPLED)
    except InputError as error:
        return f"{method} was left out: {error}"
    return None
