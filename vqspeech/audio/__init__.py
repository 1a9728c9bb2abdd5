"""Recordings in and out: reading, writing, level, resampling, pitch; 16 kHz mono float32 inside."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vqspeech.audio.reading import duration, probe, read, read_blocks
    from vqspeech.audio.writing import Writer, write

__all__ = ["Writer", "duration", "probe", "read", "read_blocks", "write"]


def __getattr__(name: str):
    """Load libsndfile's wrapper only when a file is to be read or written."""
    if name not in __all__:
        raise AttributeError(f"module 'vqspeech.audio' has no attribute '{name}'")
    from importlib import import_module

    home = "writing" if name in ("Writer", "write") else "reading"
    return getattr(import_module(f"vqspeech.audio.{home}"), name)
