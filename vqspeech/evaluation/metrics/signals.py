"""Two signals made comparable before any metric sees them: length, delay, level, silence."""

import numpy as np

from vqspeech.audio.level import SILENCE_RMS, is_scorable, rms
from vqspeech.audio.signal import SAMPLE_RATE

_HOP = 40
_DELAYS_MS = (-20.0, 60.0)
_ENVELOPE_BANDS = 20
_ENVELOPE_TOP_HZ = 3_800
_DELAY_EVIDENCE = 0.02


def match_level(reference: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """`decoded` scaled to the RMS of `reference`, clipped to [-1, 1]; silence stays as it is."""
    level = rms(decoded)
    gain = rms(reference) / level if level > SILENCE_RMS else 1.0
    return np.clip(decoded * gain, -1.0, 1.0).astype(np.float32)


def shift(x: np.ndarray, delay: int, length: int) -> np.ndarray:
    """`x` [T] advanced by `delay` samples (zeros come in), cut or padded to `length` samples."""
    x = x[delay:] if delay >= 0 else np.pad(x, (-delay, 0))
    return np.pad(x[:length], (0, max(0, length - len(x))))


def _envelope(x: np.ndarray) -> np.ndarray:
    """Log energies [bands, frames] every 2.5 ms in mel bands up to 3.8 kHz, zero mean."""
    import librosa

    power = librosa.feature.melspectrogram(
        y=x,
        sr=SAMPLE_RATE,
        n_fft=512,
        win_length=320,
        hop_length=_HOP,
        n_mels=_ENVELOPE_BANDS,
        fmax=_ENVELOPE_TOP_HZ,
    )
    # 40 dB under the peak: the gaps between words, not the noise in them, carry the timing.
    log = np.log(np.maximum(power, 1e-4 * power.max() + 1e-20))
    return log - log.mean(axis=1, keepdims=True)


def find_delay(reference: np.ndarray, decoded: np.ndarray) -> int:
    """Samples by which `decoded` lags `reference` (both float32 [T], any two lengths).

    The delay, a multiple of 2.5 ms from -20 to 60 ms, at which band envelopes correlate best:
    parametric codecs delay by 20 to 30 ms and keep no phase, so waveforms cannot be correlated.
    0 unless another delay raises the correlation by more than 0.02, so that a codec without delay
    gains nothing from the search.
    """
    if not (is_scorable(reference) and is_scorable(decoded)):
        return 0
    a, b = _envelope(reference), _envelope(decoded)
    frames = min(a.shape[1], b.shape[1])
    a, b = a[:, :frames], b[:, :frames]
    steps = [round(ms * SAMPLE_RATE / 1000 / _HOP) for ms in _DELAYS_MS]
    found = {}
    for step in range(steps[0], steps[1] + 1):
        early = a[:, max(0, -step) : frames - max(0, step)]
        late = b[:, max(0, step) : frames - max(0, -step)]
        power = np.sqrt(np.square(early).sum() * np.square(late).sum())
        found[step] = (early * late).sum() / max(power, 1e-20)
    best = max(found, key=lambda step: found[step])
    return best * _HOP if found[best] > found[0] + _DELAY_EVIDENCE else 0


def match(reference: np.ndarray, decoded: np.ndarray) -> tuple[np.ndarray, int]:
    """(`decoded` with its delay removed, at the length and RMS of `reference`; delay in samples).

    Every metric of this room is given this version of the decoded signal. A decoded signal with
    NaN or infinite samples stays unscorable.
    """
    if not np.isfinite(decoded).all():
        return np.full(len(reference), np.nan, np.float32), 0
    delay = find_delay(reference, decoded)
    return match_level(reference, shift(decoded, delay, len(reference))), delay
