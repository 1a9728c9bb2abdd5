"""What cannot be sampled, refused before the work begins."""

import os

from vqspeech.arguments import whole
from vqspeech.config.networks import DecoderConfig
from vqspeech.errors import InputError

MOST_STREAMS = 10**15
"""No memory holds so many."""


def check_streams(streams: int, config: DecoderConfig, frames: int, steps_per_frame: int) -> None:
    """Raise InputError for no streams, or more at once than memory holds.

    frames: conditioning frames that a stream is given at a time, each for that many steps.
    """
    streams = whole("streams", streams, 1, MOST_STREAMS)
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
