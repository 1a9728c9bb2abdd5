"""Degradation: in training the encoder hears some of the speech in a room, in noise, among other
voices or through a telephone, while what is to be predicted stays clean.

So codes say what was said, wherever it was said. Ko et al. 2017, "A study on data augmentation of
reverberant speech for robust speech recognition", train recognisers so, and show that made-up rooms
do nearly as well as measured ones. Nothing here delays the speech, which would move its codes.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.config.training import DegradationConfig
from vqspeech.nn.distributed import rank, rows_of_all, world

DRAWS = 10
"""Numbers that a crop draws: whether each of four things happens to it, and six of how."""
VOICES = 3
"""Other crops of the batch that babble together."""
STEEPEST = 1.0
"""Power of the frequency by which the magnitude of noise falls, at most: from white to brown."""
LOWEST_HZ, LOW_WIDTH, HIGH_WIDTH = 200.0, 30.0, 60.0
"""Where a narrow band begins, and how many Hz wide its edges are."""
QUIET = 1e-6
"""Deviation below which there is nothing to scale."""


def degraded(config: DegradationConfig, wave: Tensor) -> Tensor:
    """Waveforms [B, T] as they are heard in training: [B, T], at the level that the speech has.

    Random numbers are drawn for the batch of all workers, whose generators are the same; each has
    its rows. A configuration that asks for nothing draws none.
    """
    chances = (config.reverberation, config.noise, config.babble, config.narrow_band)
    if not any(chances):
        return wave
    batch, everybody = len(wave), len(wave) * world()
    own = slice(rank() * batch, (rank() + 1) * batch)
    numbers = torch.rand(everybody, DRAWS, device=wave.device)[own]
    # The rows that each of the four happens to: it is worked out for no others.
    rows = [(numbers[:, i] < chance).nonzero()[:, 0] for i, chance in enumerate(chances)]
    seconds, direct, slope, noise_db, babble_db, upper = numbers[:, len(chances) :].split(1, 1)
    with torch.autocast(wave.device.type, enabled=False):
        heard = wave.float()
        if config.reverberation:
            size = round(config.reverberation_seconds[1] * SAMPLE_RATE)
            tail = torch.randn(everybody, size, device=wave.device)[own]
            seconds = between(config.reverberation_seconds, seconds)
            direct = between(config.direct_db, direct)
            heard = changed(heard, rows[0], reverberated, tail, seconds, direct)
        if config.noise:
            white = torch.randn(everybody, wave.shape[1], device=wave.device)[own]
            decibels = between(config.noise_db, noise_db)
            heard = changed(heard, rows[1], in_noise, white, STEEPEST * slope, decibels)
        if config.babble:
            decibels = between(config.babble_db, babble_db)
            heard = changed(heard, rows[2], mixed, babble(wave.float()), decibels)
        if config.narrow_band:
            heard = changed(heard, rows[3], band_passed, between(config.upper_hz, upper))
    return heard.to(wave.dtype)


def changed(wave: Tensor, rows: Tensor, change: Callable[..., Tensor], *how: Tensor) -> Tensor:
    """Waveforms [B, T], those of `rows` as `change` makes them of their own rows of `how`."""
    if not len(rows):
        return wave
    return wave.index_copy(0, rows, change(wave[rows], *(one[rows] for one in how)))


def between(limits: tuple[float, ...], share: Tensor) -> Tensor:
    """Shares of [0, 1) to numbers within limits."""
    low, high = limits
    return low + (high - low) * share


def level(wave: Tensor) -> Tensor:
    """Root of the mean square: [B, 1]."""
    return wave.square().mean(1, keepdim=True).sqrt()


def at_level(wave: Tensor, wanted: Tensor) -> Tensor:
    """Waveforms [B, T] scaled to levels [B, 1]; what is silent stays so."""
    return wave * (wanted / level(wave).clamp_min(QUIET))


def mixed(wave: Tensor, other: Tensor, decibels: Tensor) -> Tensor:
    """Waveforms [B, T] with others, by so many dB [B, 1] quieter."""
    return wave + at_level(other, level(wave) * 10 ** (-decibels / 20))


def in_noise(wave: Tensor, white: Tensor, slope: Tensor, decibels: Tensor) -> Tensor:
    """Waveforms [B, T] with noise (`coloured`) by so many dB [B, 1] quieter."""
    return mixed(wave, coloured(white, slope), decibels)


def coloured(white: Tensor, slope: Tensor) -> Tensor:
    """White noise [B, T] whose magnitudes fall by the power `slope` [B, 1] of the frequency."""
    spectrum = torch.fft.rfft(white)
    bins = torch.arange(spectrum.shape[1], device=white.device).clamp_min(1)
    return torch.fft.irfft(spectrum * bins**-slope, white.shape[1])


def babble(wave: Tensor) -> Tensor:
    """For each of the waveforms [B, T], VOICES others of the batch of all workers together: [B, T].

    In a batch of fewer, some of them more than once.
    """
    batch, everybody = len(wave), len(wave) * world()
    rows = torch.arange(everybody, device=wave.device)
    voices = rows_of_all(wave, rows)
    mine = rows[rank() * batch : (rank() + 1) * batch]
    others = [voices[(mine + 1 + k % max(1, everybody - 1)) % everybody] for k in range(VOICES)]
    return torch.stack([at_level(one, torch.ones_like(one[:, :1])) for one in others]).sum(0)


def reverberated(wave: Tensor, white: Tensor, seconds: Tensor, direct: Tensor) -> Tensor:
    """Waveforms [B, T] in rooms, at the level that they had.

    white: noise [B, n], which becomes a tail that falls by 60 dB within `seconds` [B, 1] and has an
    energy `direct` [B, 1] dB below that of the sound that comes straight.
    """
    time = torch.arange(1, white.shape[1] + 1, device=wave.device) / SAMPLE_RATE
    tail = white * torch.exp(-3 * math.log(10) * time / seconds)
    tail = tail * 10 ** (-direct / 20) / tail.norm(dim=1, keepdim=True).clamp_min(QUIET)
    size = wave.shape[1] + tail.shape[1]
    late = torch.fft.irfft(torch.fft.rfft(wave, size) * torch.fft.rfft(tail, size), size)
    late = F.pad(late, (1, 0))[:, : wave.shape[1]]  # a sample after what is direct
    return at_level(wave + late, level(wave))


def band_passed(wave: Tensor, upper: Tensor) -> Tensor:
    """Waveforms [B, T] without what is below LOWEST_HZ or above `upper` [B, 1] Hz; zero phase."""
    spectrum = torch.fft.rfft(wave)
    hertz = torch.arange(spectrum.shape[1], device=wave.device) * SAMPLE_RATE / wave.shape[1]
    keep = torch.sigmoid((upper - hertz) / HIGH_WIDTH)
    keep = keep * torch.sigmoid((hertz - LOWEST_HZ) / LOW_WIDTH)
    return torch.fft.irfft(spectrum * keep, wave.shape[1])
