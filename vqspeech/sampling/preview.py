"""The quick preview: Griffin-Lim from the auxiliary log-mel. It lets codes be heard in no time.

Griffin and Lim 1984, in librosa's accelerated form. Never shown as the codec's result.
"""

from functools import lru_cache

import numpy as np

from vqspeech.config import FILTER_BANK_HOP
from vqspeech.nn.features import FFT, LOG_FLOOR, WINDOW, LogMel

NNLS_ROUNDS, PHASE_ROUNDS = 32, 16
SHARPEN_BINS, SHARPEN = 7, 0.8
"""Bins of the window and strength of the unsharp mask over mel bins: the mean of what a code may
stand for is smoother than any of it. DNSMOS on held-out training speech rose from 1.9 to 2.2."""


@lru_cache(maxsize=4)
def _filters(mels: int) -> np.ndarray:
    """Mel filters [mels, FFT // 2 + 1]."""
    return np.ascontiguousarray(LogMel(mels).filters.numpy().T)


def mel_to_magnitude(log_mel: np.ndarray) -> np.ndarray:
    """Log-mel [mels, n] to the magnitude spectrum [FFT // 2 + 1, n] that best explains it.

    Non-negative least squares by multiplicative updates (Lee and Seung 2001, theorem 1).
    """
    filters = _filters(len(log_mel))
    mel = np.exp(log_mel).astype(np.float32)
    mel[mel <= LOG_FLOOR * 1.01] = 0
    tiny = np.float32(1e-8)
    pulled = filters.T @ mel
    square = filters.T @ filters
    magnitude = pulled / (square.sum(1, keepdims=True) + tiny)
    for _ in range(NNLS_ROUNDS):
        magnitude *= pulled / (square @ magnitude + tiny)
    return magnitude


def sharpened(log_mel: np.ndarray) -> np.ndarray:
    """Predicted log-mel [mels, n] with its peaks and valleys over the mel bins put back."""
    window = np.hanning(SHARPEN_BINS + 2)[1:-1].astype(np.float32)
    padded = np.pad(log_mel, ((SHARPEN_BINS // 2, SHARPEN_BINS // 2), (0, 0)), mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, SHARPEN_BINS, axis=0)
    return log_mel + SHARPEN * (log_mel - views @ (window / window.sum()))


def griffin_lim(log_mel: np.ndarray, seed: int = 0) -> np.ndarray:
    """Predicted log-mel frames [mels, n] of `LogMel` to a waveform, float32 [n * 160]."""
    import librosa

    # One frame more in front: librosa centres frame m on sample 160 m, `LogMel` on 160 m + 80.
    sharp = sharpened(log_mel)
    magnitude = mel_to_magnitude(np.concatenate([sharp[:, :1], sharp, sharp[:, -1:]], 1))
    wave = librosa.griffinlim(
        magnitude,
        n_iter=PHASE_ROUNDS,
        hop_length=FILTER_BANK_HOP,
        win_length=WINDOW,
        n_fft=FFT,
        random_state=np.random.default_rng(seed),
    )
    samples = log_mel.shape[1] * FILTER_BANK_HOP
    return wave[FILTER_BANK_HOP // 2 :][:samples].astype(np.float32)
