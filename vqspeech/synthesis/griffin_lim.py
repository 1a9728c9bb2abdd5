"""The quick preview: Griffin-Lim from the auxiliary log-mel. It lets codes be heard in no time.

Griffin and Lim 1984, in librosa's accelerated form. Never shown as the codec's result.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE
from vqspeech.nn.filter_banks import FFT, LOG_FLOOR, WINDOW, LogMel
from vqspeech.parallel import mapped_ahead

NNLS_ROUNDS, PHASE_ROUNDS = 32, 16
FADE_SECONDS = 0.04
"""Pieces of a long signal fade into one another over this long."""


@lru_cache(maxsize=4)
def mel_filters(mels: int) -> np.ndarray:
    """Mel filters [mels, FFT // 2 + 1]."""
    return np.ascontiguousarray(LogMel(mels).get_buffer("filters").numpy().T)


def mel_to_magnitude(log_mel: np.ndarray) -> np.ndarray:
    """Log-mel [mels, n] to the magnitude spectrum [FFT // 2 + 1, n] that best explains it.

    Non-negative least squares by multiplicative updates (Lee and Seung 2001, theorem 1).
    """
    filters = mel_filters(len(log_mel))
    mel = np.exp(log_mel).astype(np.float32)
    mel[mel <= LOG_FLOOR * 1.01] = 0
    tiny = np.float32(1e-8)
    pulled = filters.T @ mel
    square = filters.T @ filters
    magnitude = pulled / (square.sum(1, keepdims=True) + tiny)
    for _ in range(NNLS_ROUNDS):
        magnitude *= pulled / (square @ magnitude + tiny)
    return magnitude


def between_frames(log_mel: np.ndarray) -> np.ndarray:
    """Log-mel [mels, n] at 160 m + 80 to [mels, n + 1] at 160 m: cubic interpolation over time.

    Griffin-Lim leaves a ripple at the rate of its frames. DNSMOS, whose own frames lie on multiples
    of 10 ms, is very sensitive to where it falls, so the frames are put there too.
    """
    p = np.pad(log_mel, ((0, 0), (2, 2)), mode="edge")
    return (9 * (p[:, 1:-2] + p[:, 2:-1]) - p[:, :-3] - p[:, 3:]) / 16


def griffin_lim(log_mel: np.ndarray, seed: int = 0) -> np.ndarray:
    """Predicted log-mel frames [mels, n] of `LogMel` to a waveform, float32 [n * 160]."""
    import librosa

    samples = log_mel.shape[1] * FILTER_BANK_HOP
    missing = max(0, 2 * FFT // FILTER_BANK_HOP - log_mel.shape[1])  # librosa wants a whole window
    log_mel = np.pad(log_mel, ((0, 0), (0, missing)), mode="edge")
    magnitude = mel_to_magnitude(between_frames(log_mel))
    wave = librosa.griffinlim(
        magnitude,
        n_iter=PHASE_ROUNDS,
        hop_length=FILTER_BANK_HOP,
        win_length=WINDOW,
        n_fft=FFT,
        **_generator(librosa.griffinlim, seed),
    )
    return wave[:samples].astype(np.float32)


def _generator(function: Callable, seed: int) -> dict[str, Any]:
    """The random numbers of `seed` under the name that `function` knows them by: librosa 1.0 calls
    `rng` what was `random_state`, which 1.2 takes no more."""
    name = "rng" if "rng" in inspect.signature(function).parameters else "random_state"
    return {name: np.random.default_rng(seed)}


def griffin_lim_pieces(log_mels: Iterable[np.ndarray], seed: int = 0) -> Iterator[np.ndarray]:
    """`griffin_lim` of one long log-mel in pieces [mels, n]: the waveform in blocks.

    Pieces run side by side in as many threads as PyTorch uses.
    """
    fade = round(FADE_SECONDS * SAMPLE_RATE / FILTER_BANK_HOP)  # frames
    ramp = np.linspace(0, 1, fade * FILTER_BANK_HOP, dtype=np.float32)

    def overlapping() -> Iterator[np.ndarray]:
        before = None
        for log_mel in log_mels:
            yield log_mel if before is None else np.concatenate([before, log_mel], 1)
            before = log_mel[:, -fade:]

    last = None
    threads = torch.get_num_threads()
    for wave in mapped_ahead(lambda mel: griffin_lim(mel, seed), overlapping(), threads):
        # Each piece starts with the end of the one before it, and fades over there.
        if last is not None:
            wave[: len(ramp)] = wave[: len(ramp)] * ramp + last * ramp[::-1]
        cut = len(wave) - len(ramp)
        yield wave[:cut]
        last = wave[cut:]
    if last is not None:
        yield last
