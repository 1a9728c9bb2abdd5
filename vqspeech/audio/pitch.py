"""Fundamental frequency (F0) of recordings, tracked."""

from typing import NamedTuple

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE

FMIN_HZ, FMAX_HZ = 60.0, 400.0
QUICK_HOP = 2 * FILTER_BANK_HOP
_FRAME = 1024
_THRESHOLD_PRIOR = (2, 8)
_VOICE_RANGE_DB = 30.0


class PitchTrack(NamedTuple):
    """F0 in Hz (float64 [F], NaN where unvoiced) and voicing (bool [F]), a frame every 10 ms."""

    f0: np.ndarray
    voiced: np.ndarray


def track(x: np.ndarray, quick: bool = False) -> PitchTrack:
    """Pitch of `x` (float32 [T] at 16 kHz): pYIN (Mauch & Dixon 2014) in librosa, 60 to 400 Hz.

    A frame is voiced if pYIN says so and its level is within 30 dB of the loudest frame's. Two
    departures from librosa's defaults alone, since those decide voicing badly on read speech: the
    threshold prior Beta(2, 8) instead of Beta(2, 18), which leaves creaky and noisy voices without
    a pitch, and the level, without which pYIN stays voiced through the noise of pauses. quick: for
    pictures; a frame every 20 ms, in steps of a quarter of a semitone, ten times as fast.
    """
    import librosa

    hop = QUICK_HOP if quick else FILTER_BANK_HOP
    frames = 1 + len(x) // hop
    if not is_scorable(x):
        return PitchTrack(np.full(frames, np.nan), np.zeros(frames, bool))
    f0, voiced, _ = librosa.pyin(
        x,
        fmin=FMIN_HZ,
        fmax=FMAX_HZ,
        sr=SAMPLE_RATE,
        frame_length=_FRAME,
        hop_length=hop,
        beta_parameters=_THRESHOLD_PRIOR,
        resolution=0.25 if quick else 0.1,
    )
    level = librosa.feature.rms(y=x, frame_length=_FRAME, hop_length=hop)[0]
    voiced = voiced & np.isfinite(f0) & (level > level.max() * 10 ** (-_VOICE_RANGE_DB / 20))
    return PitchTrack(np.where(voiced, f0, np.nan), voiced)


def median_f0(x: np.ndarray) -> float:
    """Median F0 in Hz over the voiced frames of `x` (float32 [T] at 16 kHz); NaN where none is."""
    found = track(x, quick=True)  # the median needs no finer steps
    return float(np.median(found.f0[found.voiced])) if found.voiced.any() else float("nan")


def f0_frames(x: np.ndarray) -> np.ndarray:
    """F0 of `x` (float32 [T] at 16 kHz) at the middle of each 10 ms: float32 [ceil(T / 160)], Hz.

    0 where there is no voice. What training tells a decoder of recordings (`nn.excitation`).
    """
    return at_samples(
        track(x, quick=True).f0,
        np.arange(-(-len(x) // FILTER_BANK_HOP)) * FILTER_BANK_HOP + FILTER_BANK_HOP // 2,
    )


def at_samples(f0: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """A quick track's F0 [n] (Hz; 0 or NaN unvoiced) at `samples` [m]: float32 [m], 0 unvoiced.

    Between two voiced values on a straight line of log F0, elsewhere the nearest; 0 beyond the end.
    """
    known = np.nan_to_num(f0).astype(np.float32)
    place = samples / QUICK_HOP
    left = np.minimum(place.astype(np.int64), len(known) - 1)
    right = np.minimum(left + 1, len(known) - 1)
    share = place - left
    a, b = known[left], known[right]
    both = (a > 0) & (b > 0)
    between = np.where(both, a, 1) * (np.where(both, b, 1) / np.where(both, a, 1)) ** share
    found = np.where(both, between, np.where(share < 0.5, a, b))
    return np.where(samples < QUICK_HOP * len(known), found, 0).astype(np.float32)
