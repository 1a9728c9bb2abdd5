"""The post-filter: gives sampled speech the spectral envelope that its codes predict.

A sampled WaveNet is noisier than speech, the more so the less it was trained. The codes' auxiliary
log-mel says how much there should be in each mel band at each moment, so a time-varying gain takes
the noise back between formants and in pauses; what happens within a band, pitch above all, stays
the WaveNet's. A few of Griffin and Lim's rounds then make the phases consistent with the new
magnitudes.

Speech coders have had such filters since Chen and Gersho 1995, "Adaptive postfiltering for quality
enhancement of coded speech"; theirs follow the linear predictor, this one the predicted mel.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.audio.signal import FILTER_BANK_HOP
from vqspeech.config.rendering import PostFilterConfig
from vqspeech.nn.filter_banks import FFT, WINDOW
from vqspeech.nn.surroundings import one_thread
from vqspeech.synthesis.griffin_lim import between_frames, mel_filters

ONSET_SPREAD, ONSET_REACH = 1.5, 4
"""An onset is what a predicted log-mel has more or less than its mean over some frames: a Gaussian
of deviation ONSET_SPREAD, cut off at ONSET_REACH."""
FADE = 0.4
"""Pauses set in over some FADE to either side of their level."""
FIT_ROUNDS = 2
"""Gains overlap, so that the envelope is right after two rounds of them."""
LAST_FITS = 2
"""Times that the envelope is made right again at the end, as phases that disagree have moved it."""
MOMENTUM = 0.99
"""Of Perraudin et al. 2013, "A fast Griffin-Lim algorithm"."""
TINY = 1e-5
"""Mel magnitudes below this (the codec's floor is 1e-4) count as this."""
PIECE = 100
"""Frames filtered at a time (1 s)."""


def margin(config: PostFilterConfig) -> int:
    """Frames to either side that a frame depends on: half a window for each analysis and
    synthesis, 2 for the interpolation of the log-mel, ONSET_REACH for its onsets."""
    windows = 1 + config.phase_rounds + LAST_FITS
    return windows * WINDOW // FILTER_BANK_HOP + 3 + ONSET_REACH


@lru_cache(maxsize=4)
def _bands(mels: int) -> tuple[Tensor, Tensor]:
    """Mel filters [mels, bins]; and what gives each bin the average of its bands [bins, mels]."""
    filters = torch.from_numpy(mel_filters(mels))
    return filters, (filters / filters.sum(0).clamp_min(1e-9)).t().contiguous()


@lru_cache(maxsize=1)
def _window() -> Tensor:
    return torch.hann_window(WINDOW, dtype=torch.float32)


def analyse(wave: Tensor) -> Tensor:
    """[N] to its spectrum [bins, N / 160 + 1], frame m centred on sample 160 m."""
    return torch.stft(
        wave,
        FFT,
        FILTER_BANK_HOP,
        WINDOW,
        _window(),
        pad_mode="constant",
        return_complex=True,
    )


def synthesise(spectrum: Tensor) -> Tensor:
    """The inverse of `analyse`."""
    samples = (spectrum.shape[1] - 1) * FILTER_BANK_HOP
    return torch.istft(spectrum, FFT, FILTER_BANK_HOP, WINDOW, _window(), length=samples)


def with_envelope(
    magnitude: Tensor, target: Tensor, change: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Magnitudes [bins, n] whose mel bands are `target` [mels, n], by gains that vary slowly over
    frequency. change: of the gain [mels, n], its natural log, before it is applied."""
    filters, averages = _bands(len(target))
    for _ in range(FIT_ROUNDS):
        gain = ((target + TINY) / (filters @ magnitude + TINY)).log()
        gain = gain if change is None else change(gain)
        magnitude = magnitude * (averages @ gain).exp()
    return magnitude


def with_phase_of(magnitude: Tensor, spectrum: Tensor) -> Tensor:
    """Magnitudes [bins, n] with the phases of a spectrum [bins, n]."""
    return spectrum * (magnitude / spectrum.abs().clamp_min(1e-12))


def with_quiet_pauses(log_mel: Tensor, config: PostFilterConfig) -> Tensor:
    """A predicted log-mel (natural log, any shape), in pauses less."""
    quieter = config.hush_db * torch.sigmoid((config.hush_level - log_mel) / FADE)
    return log_mel - math.log(10) / 20 * quieter


def with_onsets(log_mel: Tensor, gain: float) -> Tensor:
    """A predicted log-mel [mels, n] with its onsets `gain` times once more: the prediction blurs
    what the codes leave open, and blurred onsets cost a recogniser, and an ear, its consonants."""
    places = torch.arange(-ONSET_REACH, ONSET_REACH + 1, dtype=torch.float32)
    weights = torch.exp(-0.5 * (places / ONSET_SPREAD) ** 2)
    padded = F.pad(log_mel[:, None], (ONSET_REACH, ONSET_REACH), mode="replicate")
    around = F.conv1d(padded, (weights / weights.sum())[None, None])[:, 0]
    return log_mel + gain * (log_mel - around)


@torch.no_grad()
def postfilter(wave: np.ndarray, log_mel: np.ndarray, config: PostFilterConfig) -> np.ndarray:
    """Samples [n * 160] to samples with the envelope of log-mel [mels, n] frames of `LogMel`."""
    predicted = torch.from_numpy(between_frames(log_mel).astype(np.float32))
    target = with_quiet_pauses(with_onsets(predicted, config.onset_gain), config).exp()
    sampled = analyse(torch.from_numpy(np.ascontiguousarray(wave, dtype=np.float32)))

    magnitude = with_envelope(sampled.abs().clamp_min(1e-7), target)
    magnitude[_bands(len(log_mel))[1].sum(1) == 0] = 0  # bins of no band: 0 Hz
    spectrum, before = with_phase_of(magnitude, sampled), None
    for _ in range(config.phase_rounds):
        consistent = analyse(synthesise(spectrum))
        moved = consistent
        if before is not None:
            moved = consistent - MOMENTUM / (1 + MOMENTUM) * before
        before, spectrum = consistent, with_phase_of(magnitude, moved)
    for _ in range(LAST_FITS):
        made = analyse(synthesise(spectrum))
        spectrum = with_phase_of(with_envelope(made.abs().clamp_min(1e-7), target), made)
    return synthesise(spectrum).numpy()


class PostFilter:
    """`postfilter` of a recording that comes in blocks: the same however they come."""

    def __init__(self, config: PostFilterConfig):
        self._config, self._margin = config, margin(config)
        self._wave, self._log_mel = np.zeros(0, np.float32), np.zeros((0, 0), np.float32)
        self._first = 0  # frame with which both begin
        self._done = 0  # frames given back

    def expect(self, log_mel: np.ndarray) -> None:
        """The next predicted frames [mels, n]; they come before the samples they are for."""
        known = self._log_mel.reshape(len(log_mel), -1)
        self._log_mel = np.concatenate([known, log_mel], 1)

    def add(self, wave: np.ndarray) -> np.ndarray:
        """The next samples to those that are now final, float32."""
        self._wave = np.concatenate([self._wave, wave])
        made = []
        while self._first + len(self._wave) // FILTER_BANK_HOP >= self._done + PIECE + self._margin:
            made.append(self._piece(self._done + PIECE))
        return np.concatenate(made) if made else self._wave[:0]

    def finish(self) -> np.ndarray:
        """The last samples, once all are in: whole frames of them."""
        end, made = self._first + len(self._wave) // FILTER_BANK_HOP, [self._wave[:0]]
        while self._done < end:
            made.append(self._piece(min(self._done + PIECE, end)))
        return np.concatenate(made)

    def _piece(self, end: int) -> np.ndarray:
        """Frames from the last piece's end to `end`, filtered with what lies around them."""
        frames = slice(0, end + self._margin - self._first)
        log_mel = self._log_mel[:, frames]
        wave = self._wave[: log_mel.shape[1] * FILTER_BANK_HOP]
        log_mel = log_mel[:, : len(wave) // FILTER_BANK_HOP]
        begin = (self._done - self._first) * FILTER_BANK_HOP
        with one_thread:
            made = postfilter(wave, log_mel, self._config)
        made = made[begin : (end - self._first) * FILTER_BANK_HOP]
        self._done = end
        old = max(0, end - self._margin) - self._first
        self._log_mel = self._log_mel[:, old:]
        self._wave = self._wave[old * FILTER_BANK_HOP :]
        self._first += old
        return made
