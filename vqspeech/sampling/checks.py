"""What cannot be sampled, refused before the work begins."""

import os

from vqspeech.config.model import DecoderConfig
from vqspeech.errors import InputError
from vqspeech.sampling.backend import WEIGHTS

HIGHEST_TEMPERATURE = 2.0
EMPHASIS, LARGEST_EMPHASIS = 0.5, 2.0
"""Of the voice that a recording is converted to: `codec_decoding.Change.emphasis`."""


def check_sampling(seed: int, temperature: float, weights: str = WEIGHTS[0]) -> None:
    """Raise InputError for a seed, temperature or format that does not exist."""
    if not 0 <= temperature <= HIGHEST_TEMPERATURE:  # nor NaN
        raise InputError(f"temperature {temperature} must lie in 0..{HIGHEST_TEMPERATURE:g}")
    if seed < 0:
        raise InputError(f"seed {seed} must not be negative")
    if weights not in WEIGHTS:
        raise InputError(f"weights '{weights}' must be one of {', '.join(WEIGHTS)}")


def check_emphasis(emphasis: float) -> None:
    """Raise InputError unless a voice can be emphasised so much."""
    if not 0 <= emphasis <= LARGEST_EMPHASIS:  # nor NaN
        raise InputError(f"emphasis {emphasis} must lie in 0..{LARGEST_EMPHASIS:g}")


def check_streams(streams: int, config: DecoderConfig, frames: int, steps_per_frame: int) -> None:
    """Raise InputError for no streams, or more at once than memory holds.

    frames: conditioning frames that a stream is given at a time, each for that many steps.
    """
    if streams < 1:
        raise InputError(f"{streams} streams: at least one is needed")
    steps, layers, width = sum(config.dilations), len(config.dilations), config.residual_channels
    # Rings, conditioning and twice the inputs (of each stream, and side by side), float32.
    needed = streams * 4 * width * (steps + 2 * frames * (layers + steps_per_frame))
    free = available_memory()
    if needed > free:
        raise InputError(
            f"{streams} streams at once need {needed / 2**30:,.1f} GiB of memory, and "
            f"{free / 2**30:,.1f} GiB are free; take fewer"
        )


def available_memory() -> float:
    """Bytes that can be taken now; infinite where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return float("inf")
