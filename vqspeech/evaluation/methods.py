"""The ways that a recording can go before it is measured, by the names that --methods takes."""

from typing import NamedTuple

from vqspeech.evaluation import codecs

ORIGINAL, PREVIEW, WAVENET = "original", "preview", "wavenet"
UNFILTERED = "wavenet-unfiltered"
CONVERT_PREVIEW, CONVERT_WAVENET = "convert-preview", "convert-wavenet"
CONVERT_UNFILTERED = "convert-wavenet-unfiltered"
CONVERTING = (CONVERT_PREVIEW, CONVERT_WAVENET, CONVERT_UNFILTERED)

METHODS = (ORIGINAL, PREVIEW, WAVENET, UNFILTERED, *CONVERTING, *codecs.BY_NAME)
"""`original`: the recordings themselves; `preview`: Griffin-Lim from the codes; `wavenet`, with its
post-filter and without; `convert-`: the same, as another speaker; then other people's codecs."""

MODEL = (PREVIEW, WAVENET, UNFILTERED)
"""Decoders of the model's codes: they cost the same bits."""
FILTERED = (WAVENET, CONVERT_WAVENET)
SAMPLED = (*FILTERED, UNFILTERED, CONVERT_UNFILTERED)
"""What is drawn at random, and so measured with several seeds."""

HEADINGS = {
    ORIGINAL: "original",
    PREVIEW: "Griffin-Lim (preview)",
    WAVENET: "WaveNet + post-filter",
    UNFILTERED: "WaveNet alone",
    CONVERT_PREVIEW: "converted, Griffin-Lim",
    CONVERT_WAVENET: "converted, WaveNet + post-filter",
    CONVERT_UNFILTERED: "converted, WaveNet alone",
} | {codec.name: codec.heading for codec in codecs.CODECS}

SHORT = {PREVIEW: "Griffin-Lim", WAVENET: "WaveNet + filter", UNFILTERED: "WaveNet alone"}
"""Headings where there is little room."""


class Take(NamedTuple):
    """One decoding of a recording. seed: 0 for what is not drawn at random."""

    method: str
    seed: int = 0
