"""The level of speech, measured in a stream, in memory that does not grow with its length; and what
is too short or too quiet to be speech."""

import math
from collections.abc import Iterable

import numpy as np

from vqspeech.audio.resampling import resample_blocks
from vqspeech.audio.signal import SAMPLE_RATE, HighPass

MIN_SECONDS = 0.25
"""Below this no metric is defined (PESQ raises, ESTOI answers 1e-5): everything is NaN."""

SILENCE_RMS = 1e-4
"""RMS re full scale (-80 dB) at and below which a signal is silence."""

LEVEL_DB = -26.0
"""The one level that the codec works at: RMS of active speech in dB re full scale (as ITU-T P.56
measurements are usually normalised)."""

MAX_GAIN_DB = 30.0
"""Nothing is raised by more, which would raise its noise to speech."""
LOUDEST_DB = LEVEL_DB + 30.0
"""Active speech above this was scaled otherwise than to +-1."""
LARGEST = 1e6
"""Samples beyond this are cut for the measurement, so that squares stay finite."""
SILENCE_DB = -75.0
"""Below this loudest level a recording is silence (8-bit noise is louder) and is left as it is."""

ACTIVE_RANGE_DB = 35.0
"""Frames this far below the loud ones still count as speech."""

FRAME_SECONDS = 0.02

_LOWEST_DB, _HIGHEST_DB, _BINS_PER_DB = -110.0, 120.0, 50


def db(power):
    """Power (mean square) to decibels; 0 becomes -300 dB."""
    return 10 * np.log10(np.maximum(power, 1e-30))


def frame_powers(x: np.ndarray, frame: int) -> np.ndarray:
    """Variances (float32 [T // frame]) of the whole frames of `frame` samples in `x` [T].

    About each frame's own mean, so that an offset or rumble far below speech does not count.
    """
    frames = x[: len(x) // frame * frame].reshape(-1, frame)
    frames = frames - frames.mean(axis=1, keepdims=True)
    return np.square(frames, out=frames).mean(axis=1)


class LevelMeter:
    """Measures the active-speech level of blocks of one recording at 16 kHz.

    20 ms frames are counted by power in a histogram of 0.02 dB, so memory is fixed and the result
    is the same however the recording is cut into blocks.
    """

    def __init__(self):
        self._frame = round(SAMPLE_RATE * FRAME_SECONDS)
        self._rest = np.zeros(0, np.float32)
        self._counts = np.zeros(round((_HIGHEST_DB - _LOWEST_DB) * _BINS_PER_DB), np.int64)
        self.peak = 0.0
        """Largest magnitude so far; infinite where a filter was driven beyond all numbers."""

    def add(self, block: np.ndarray) -> None:
        """Take in the next samples (float32 [N], any N)."""
        if len(block):
            largest = max(float(block.max()), -float(block.min()))
            if math.isnan(largest):
                largest, block = math.inf, np.nan_to_num(block)
            self.peak = max(self.peak, largest)
        x = np.concatenate([self._rest, np.clip(block, -LARGEST, LARGEST, dtype=np.float32)])
        used = len(x) // self._frame * self._frame
        self._rest = x[used:]
        self._counts += self._histogram(frame_powers(x, self._frame))

    def bins(self, powers: np.ndarray) -> np.ndarray:
        """Where in the histogram frames of `powers` [n] count: int64 [n]."""
        bins = ((db(powers) - _LOWEST_DB) * _BINS_PER_DB).astype(np.int64)
        return np.clip(bins, 0, len(self._counts) - 1)

    def _histogram(self, powers: np.ndarray) -> np.ndarray:
        return np.bincount(self.bins(powers), minlength=len(self._counts))

    @staticmethod
    def centre(place):
        """The level in dB re full scale that a bin of the histogram stands for."""
        return _LOWEST_DB + (place + 0.5) / _BINS_PER_DB

    def _levels(self) -> tuple[float, float]:
        """(loud, active) levels in dB re full scale."""
        counts = self._counts
        if not counts.any() and len(self._rest):
            counts = self._histogram(frame_powers(self._rest, len(self._rest)))
        total = int(counts.sum())
        if total == 0:
            return -np.inf, -np.inf
        centres = self.centre(np.arange(len(counts)))
        # The loudest 1 % of frames may be clicks; in a short recording up to four frames may be.
        dropped = max(total // 100, min(4, total // 10))
        from_the_top = np.cumsum(counts[::-1])
        loud = centres[::-1][np.searchsorted(from_the_top, dropped, side="right")]
        if loud < SILENCE_DB:
            return loud, loud
        active = np.where(centres >= loud - ACTIVE_RANGE_DB, counts, 0)
        # Clicks count no more than the loudest speech does.
        powers = 10 ** (np.minimum(centres, loud) / 10)
        # Not np.dot: the BLAS threads that it wakes go on spinning on the cores PyTorch needs.
        return loud, float(db((active * powers).sum() / active.sum()))

    @property
    def loud_db(self) -> float:
        """Level of the loudest frames, clicks left out, in dB re full scale; -inf if no samples."""
        return self._levels()[0]

    @property
    def active_db(self) -> float:
        """RMS level of active speech in dB re full scale; -inf if no samples."""
        return self._levels()[1]

    def gain(self) -> float:
        """Linear gain to LEVEL_DB, at most +30 dB; 1.0 for silence."""
        return self.judged()[0]

    def judged(self) -> tuple[float, str]:
        """(the gain, what is to be said of the level: "" where it is that of speech).

        Nothing is said of samples that are all zero, or too few to judge by.
        """
        loud, active = self._levels()
        enough = self.peak > 0 and self._counts.sum() * FRAME_SECONDS >= MIN_SECONDS
        if loud < SILENCE_DB:
            remark = (
                f"is nothing but silence (at most {loud:.0f} dB re full scale), and so are its "
                "codes; record it louder, or scale its samples to +-1"
            )
            return 1.0, remark if enough else ""
        step, remark = LEVEL_DB - active, ""
        if step > MAX_GAIN_DB:
            remark = (
                f"is very quiet ({active:.0f} dB re full scale): raised by no more than "
                f"{MAX_GAIN_DB:g} dB, it loses speech in its codes; record it louder, or scale its "
                "samples to +-1"
            )
        if active > LOUDEST_DB:
            remark = (
                f"goes far beyond full scale ({active:+.0f} dB): brought down to speech; scale its "
                "samples to +-1"
            )
        return float(10 ** (min(step, MAX_GAIN_DB) / 20)), remark if enough else ""


class SpeechMeter(LevelMeter):
    """Hears recordings as the encoder does, without rumble below speech. blocks: float32 [N] each,
    what it has heard already."""

    def __init__(self, blocks: Iterable[np.ndarray] = ()):
        super().__init__()
        self._high_pass = HighPass()
        for block in blocks:
            self.add(block)

    def add(self, block: np.ndarray) -> None:
        """Take in the next samples (float32 [N] at 16 kHz, any N)."""
        if len(block):
            super().add(self._high_pass(block))


def level_gain(x: np.ndarray, rate: int = SAMPLE_RATE) -> float:
    """The linear gain that the codec gives one whole recording `x` [T] at `rate` Hz."""
    return SpeechMeter(resample_blocks([x], rate)).gain()


def rms(x: np.ndarray) -> float:
    """Root mean square of `x` [T]; 0 for no samples."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) if len(x) else 0.0


def is_scorable(x: np.ndarray) -> bool:
    """True if `x` [T] is finite, long enough (MIN_SECONDS) and not silence."""
    return (
        len(x) >= MIN_SECONDS * SAMPLE_RATE and bool(np.isfinite(x).all()) and rms(x) > SILENCE_RMS
    )
