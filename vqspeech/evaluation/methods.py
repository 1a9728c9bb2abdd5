"""The ways that a recording can go before it is measured, by the names that --methods takes."""

from typing import NamedTuple

from vqspeech.evaluation import codecs

ORIGINAL, PREVIEW, WAVENET = "original", "preview", "wavenet"
UNFILTERED = "wavenet-unfiltered"
CONVERT_PREVIEW, CONVERT_WAVENET = "convert-preview", "convert-wavenet"
CONVERT_UNFILTERED = "convert-wavenet-unfiltered"
UNSEEN_PREVIEW, UNSEEN_WAVENET = "convert-unseen-preview", "convert-unseen-wavenet"
UNSEEN_UNFILTERED = "convert-unseen-wavenet-unfiltered"
TRAINED = (CONVERT_PREVIEW, CONVERT_WAVENET, CONVERT_UNFILTERED)
UNSEEN = (UNSEEN_PREVIEW, UNSEEN_WAVENET, UNSEEN_UNFILTERED)
CONVERTING = (*TRAINED, *UNSEEN)

METHODS = (ORIGINAL, PREVIEW, WAVENET, UNFILTERED, *CONVERTING, *codecs.BY_NAME)
"""`original`: the recordings themselves; `preview`: Griffin-Lim from the codes; `wavenet`, with its
post-filter and without; `convert-`: the same, as another speaker of the model; `convert-unseen-`:
as somebody of whom it hears 5 s only; then other people's codecs."""

MODEL = (PREVIEW, WAVENET, UNFILTERED)
"""Decoders of the model's codes: they cost the same bits."""
FILTERED = (WAVENET, CONVERT_WAVENET, UNSEEN_WAVENET)
ALONE = (UNFILTERED, CONVERT_UNFILTERED, UNSEEN_UNFILTERED)
SAMPLED = (*FILTERED, *ALONE)
"""What is drawn at random, and so measured with several seeds."""

HEADINGS = {
    ORIGINAL: "original",
    PREVIEW: "Griffin-Lim (preview)",
    WAVENET: "WaveNet + post-filter",
    UNFILTERED: "WaveNet alone",
    CONVERT_PREVIEW: "converted, Griffin-Lim",
    CONVERT_WAVENET: "converted, WaveNet + post-filter",
    CONVERT_UNFILTERED: "converted, WaveNet alone",
    UNSEEN_PREVIEW: "to an unseen voice, Griffin-Lim",
    UNSEEN_WAVENET: "to an unseen voice, WaveNet + post-filter",
    UNSEEN_UNFILTERED: "to an unseen voice, WaveNet alone",
} | {codec.name: codec.heading for codec in codecs.CODECS}

SHORT = {PREVIEW: "Griffin-Lim", WAVENET: "WaveNet + filter", UNFILTERED: "WaveNet alone"}
"""Headings where there is little room."""


class Take(NamedTuple):
    """One decoding of a recording. seed: 0 for what is not drawn at random."""

    method: str
    seed: int = 0
