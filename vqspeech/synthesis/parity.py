"""Whether codes are looked up in the codebooks that they were made with.

Where two codebooks take turns, codes that were cut at an odd place are all looked up in the wrong
ones, and nothing in them says so. The prior knows: it finds them far less likely than the same
codes a place further on.
"""

import math

import numpy as np
import torch

from vqspeech.codes.codes import Codes
from vqspeech.nn.prior import Prior

WINDOWS, WINDOW = 8, 96
"""Stretches of codes that are judged, spread over a recording, and the codes of each: 2 s."""
LEAST = 32
"""Codes: fewer tell too little."""
MARGIN_BITS = 3.0
"""A code, by which the other turn must be likelier; where the turn is right it is some 6 less."""


@torch.inference_mode()
def out_of_turn(prior: Prior, codes: Codes) -> int | None:
    """The frame from which on codes seem to be looked up in the wrong codebooks; None: nowhere.

    For a prior of two interleaved codebooks, under "any speaker".
    """
    books, most = prior.quantizer.codebooks, codes.frames - WINDOW - 1
    count = min(WINDOWS, 1 + max(0, most) // WINDOW)
    starts = [int(at) // books * books for at in np.linspace(0, max(0, most), count)]
    length = min(WINDOW, codes.frames - 1)
    if length < LEAST:
        return None
    first = codes.by_level[0]
    own = _bits(prior, first, starts, length)
    others = _bits(prior, first, [start + 1 for start in starts], length)
    wrong = np.flatnonzero(own - others > MARGIN_BITS)
    return starts[wrong[0]] if len(wrong) else None


def _bits(prior: Prior, indices: np.ndarray, starts: list[int], length: int) -> np.ndarray:
    """Mean bits of a code, [N], of N stretches that are read as if the first codebook began."""
    given = np.stack([indices[start : start + length] for start in starts]).astype(np.int64)
    speaker = torch.full((len(starts),), prior.any_speaker)
    nats = prior.nats(torch.from_numpy(given), speaker, torch.ones(len(starts), dtype=torch.bool))
    return nats.mean(1).numpy() / math.log(2)
