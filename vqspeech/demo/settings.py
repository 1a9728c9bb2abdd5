"""What the page is served with; nothing here needs Gradio."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one visitor may ask for, and how many may ask at once."""

    seconds: float = 30.0
    megabytes: float = 20.0
    queue: int = 20
    jobs: int = 2
    keep_minutes: float = 15.0


@dataclass(frozen=True)
class Serving:
    """Where the page is, and what it offers.

    port: None for the first free one from 7860 on. share: also a public link. voices: files of
    `vqspeech enroll` to offer beside the trained speakers.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    share: bool = False
    voices: Sequence[str] = ()
    limits: Limits = Limits()
