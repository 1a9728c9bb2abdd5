"""Log-mel distance: how far a decoding's spectrum is from the original's, band by band."""

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE

MEL_BANDS = 80
MEL_FLOOR_DB = 70.0
"""Mel powers this far below the loudest of the reference count as equal."""


def _mel_power(x: np.ndarray) -> np.ndarray:
    import librosa

    return librosa.feature.melspectrogram(
        y=x, sr=SAMPLE_RATE, n_fft=512, win_length=400, hop_length=160, n_mels=MEL_BANDS
    )


def mel_distance(reference: np.ndarray, decoded: np.ndarray) -> float:
    """Log-mel distance in dB: RMS over 80 mel bands of the difference, averaged over frames.

    Power mel spectrograms (0 to 8 kHz, 25 ms Hann windows every 10 ms, Slaney bands), floored
    70 dB below the loudest value of the reference. Depends on level: match it first. NaN if the
    reference is silence or the decoded is not finite.
    """
    if not (is_scorable(reference) and np.isfinite(decoded).all()):
        return float("nan")
    a, b = _mel_power(reference), _mel_power(decoded)
    floor = a.max() * 10 ** (-MEL_FLOOR_DB / 10)
    difference = 10 * np.log10(np.maximum(a, floor) / np.maximum(b, floor))
    return float(np.sqrt(np.square(difference).mean(axis=0)).mean())
