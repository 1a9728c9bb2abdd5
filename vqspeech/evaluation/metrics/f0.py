"""Does the decoded voice rise and fall as the original does?"""

import numpy as np

from vqspeech.audio.pitch import PitchTrack

MIN_VOICED_FRAMES = 10
"""Fewer frames (of 10 ms) voiced in both signals do not make a correlation: NaN."""


def compare(reference: PitchTrack, decoded: PitchTrack) -> dict[str, float]:
    """`f0_correlation`: Pearson's r of log F0 over frames voiced in both (NaN below ten such
    frames or where one of them is constant). `voicing_agreement`: % of all frames on which both
    agree whether there is a voice."""
    frames = min(len(reference.f0), len(decoded.f0))
    a, b = (PitchTrack(t.f0[:frames], t.voiced[:frames]) for t in (reference, decoded))
    both = a.voiced & b.voiced
    correlation = float("nan")
    if both.sum() >= MIN_VOICED_FRAMES:
        first, second = np.log(a.f0[both]), np.log(b.f0[both])
        if np.ptp(first) > 0 and np.ptp(second) > 0:  # rounding gives equal values a deviation
            correlation = float(np.corrcoef(first, second)[0, 1])
    return {
        "f0_correlation": correlation,
        "voicing_agreement": 100 * float((a.voiced == b.voiced).mean()),
    }
