"""PESQ, wide band: a listener's mark for telephone speech."""

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.evaluation.extras import require

_PESQ_SECONDS = 15.0


def pesq_wb(reference: np.ndarray, decoded: np.ndarray) -> float:
    """PESQ wide band (ITU-T P.862.2), 1.0 to 4.64; NaN for silence or where it finds no utterance.

    Mean over equal pieces of at most 15 s, as P.862 is meant for, and since the C code overruns its
    tables (and kills the process) beyond 50 utterances.
    """
    pesq = require("pesq")
    count = max(1, int(np.ceil(len(reference) / (_PESQ_SECONDS * SAMPLE_RATE))))
    found = []
    pairs = zip(np.array_split(reference, count), np.array_split(decoded, count), strict=True)
    for a, b in pairs:
        if not (is_scorable(a) and is_scorable(b)):
            continue
        try:
            found.append(float(pesq.pesq(SAMPLE_RATE, a, b, "wb")))
        except (pesq.PesqError, ValueError):  # ValueError: a NaN inside, from an empty utterance
            continue
    return float(np.mean(found)) if found else float("nan")
