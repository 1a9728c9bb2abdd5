"""Where a run says how it goes: a progress bar, JSON lines, TensorBoard."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from tqdm import tqdm

from vqspeech.audio.signal import SAMPLE_RATE

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FILE_INTERVAL = 60.0
"""Seconds between two states of the progress bar where nobody watches (stderr is a file)."""


def every_quarter_minute(say: Callable[[str], None], what: str) -> Callable[[int, int], None]:
    """Called with (utterances done, their number), says so every 15 s and at the end."""
    told = [time.monotonic()]

    def tell(done: int, total: int) -> None:
        if time.monotonic() - told[0] > 15 or done == total:
            told[0] = time.monotonic()
            say(f"{what}: {done} of {total} utterances")

    return tell


@contextmanager
def _told_by_the_next_call() -> Iterator[None]:
    """What TensorBoard's thread cannot write it raises at the next call: it need not print it."""
    before = threading.excepthook

    def hook(failed: threading.ExceptHookArgs) -> None:
        by_tensorboard = type(failed.thread).__module__.startswith("tensorboard")
        if not (by_tensorboard and isinstance(failed.exc_value, OSError)):
            before(failed)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


class RunLog:
    """Writes `log.jsonl`, TensorBoard events under `tensorboard/` and one progress bar.

    Files are opened once there is something for them, so of several processes that have one each
    only those that write do so. quiet: no bar, and nothing said but warnings. silent: not
    even these.
    """

    def __init__(self, folder: Path, quiet: bool = False, silent: bool = False):
        self.folder, self.quiet, self.silent = folder, quiet or silent, silent
        self._open = ExitStack()
        self._bar = tqdm(disable=True)

    @cached_property
    def _lines(self) -> TextIO:
        return self._open.enter_context(open(self.folder / "log.jsonl", "a", buffering=1))

    @cached_property
    def _board(self) -> "SummaryWriter":
        from torch.utils.tensorboard import SummaryWriter

        self._open.enter_context(_told_by_the_next_call())
        return self._open.enter_context(SummaryWriter(str(self.folder / "tensorboard")))

    def start(self, stage: str, step: int, steps: int) -> None:
        """Begin the progress bar of a stage at `step` of `steps`."""
        self._bar.close()
        self._bar = tqdm(
            total=steps,
            initial=step,
            desc=stage,
            unit="step",
            disable=self.quiet,
            smoothing=0.05,
            mininterval=0.1 if sys.stderr.isatty() else FILE_INTERVAL,
        )

    def progress(self, figures: dict[str, float]) -> None:
        """One step done; `figures` stand behind the bar."""
        self._bar.set_postfix({k: f"{v:.4g}" for k, v in figures.items()}, refresh=False)
        self._bar.update()

    def scalars(self, kind: str, stage: str, step: int, figures: dict[str, float]) -> None:
        """One JSON line and one TensorBoard point a figure; `kind` is "train" or "valid"."""
        line = {"kind": kind, "stage": stage, "step": step, "time": round(time.time(), 1)}
        self._lines.write(
            json.dumps(line | {k: float(f"{v:.6g}") for k, v in figures.items()}) + "\n"
        )
        for name, value in figures.items():
            self._board.add_scalar(f"{stage}/{kind}/{name}", value, step)

    def audio(self, stage: str, step: int, name: str, wave: np.ndarray) -> None:
        """A free-running reconstruction [T], float32 at 16 kHz, and its spectrogram."""
        tag = f"{stage}/{name}"
        self._board.add_audio(tag, wave[None], step, SAMPLE_RATE)
        frames = np.lib.stride_tricks.sliding_window_view(wave, 512)[::128] * np.hanning(512)
        level = np.log10(np.abs(np.fft.rfft(frames)).T[::-1] + 1e-3)
        image = (level - level.min()) / max(1e-6, np.ptp(level))
        self._board.add_image(f"{tag}/spectrogram", image[None].astype(np.float32), step)

    def say(self, message: str) -> None:
        """A line to stderr that leaves the progress bar whole."""
        if not self.quiet:
            self.warn(message)

    def warn(self, message: str) -> None:
        """Such a line on what may make hours of training worthless: however quiet a run is."""
        if not self.silent:
            tqdm.write(f"vqspeech: {message}", file=sys.stderr)

    def close(self) -> None:
        self._bar.close()
        self._open.close()
