"""The level of a stream: nobody knows it before the stream's end, so it is taken from what has been
heard, by a fixed rule.

- Frames of 20 ms count as speech down to 35 dB below the loudest, as in `audio.level`. The level is
  that of the last 10 s of speech.
- Nothing is given back before 2 s of speech have been heard, or 5 s of anything: these get the gain
  of all of them. A stream that ends earlier gets the gain of the whole.
- After that the gain changes every 0.1 s, on a straight line. It falls as soon as the level is
  higher, and rises by at most 2 dB a second; freely as long as there were not 2 s of speech.
- What is no speech does not move it. After a minute without speech the level is forgotten.

The gain of a place depends on what came before it alone, counted from the start of the stream: it
is the same in blocks of any size.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from vqspeech.audio.level import (
    ACTIVE_RANGE_DB,
    FRAME_SECONDS,
    SILENCE_DB,
    LevelMeter,
    frame_powers,
)
from vqspeech.audio.signal import SAMPLE_RATE

STEP_SECONDS = 0.1
"""Between two gains."""
SETTLED_SECONDS, HELD_SECONDS = 2.0, 5.0
"""Of speech from which the first gain is taken; after which it is taken from what there is."""
MEMORY_SECONDS, FORGET_SECONDS = 10.0, 60.0
RISE_DB = 2.0
"""A second; a level that falls between two sentences is a pause more often than a new place."""

FRAME = round(FRAME_SECONDS * SAMPLE_RATE)
STEP = round(STEP_SECONDS * SAMPLE_RATE)


class RecentLevel(LevelMeter):
    """The level of the last MEMORY_SECONDS of speech at 16 kHz. `speech`: its frames so far."""

    def __init__(self):
        super().__init__()
        self._recent: deque[int] = deque()
        self._pause = self.speech = 0

    def hear(self, step: np.ndarray) -> None:
        """The next whole frames (float32 [n * FRAME])."""
        lowest = max(SILENCE_DB, self.loud_db - ACTIVE_RANGE_DB)
        for place in self.bins(frame_powers(step, FRAME)):
            if self.centre(place) < lowest:
                self._pause += 1
                continue
            self._pause, self.speech = 0, self.speech + 1
            self._recent.append(place)
            self._counts[place] += 1
            if len(self._recent) > MEMORY_SECONDS / FRAME_SECONDS:
                self._counts[self._recent.popleft()] -= 1
        if self._pause >= FORGET_SECONDS / FRAME_SECONDS:
            self._recent.clear()
            self._counts[:] = 0
            self._pause = 0

    @property
    def heard(self) -> bool:
        """Whether there was speech, within memory."""
        return bool(self._recent)

    @property
    def settled(self) -> bool:
        """Whether there was enough speech to tell its level."""
        return self.speech >= SETTLED_SECONDS / FRAME_SECONDS


def followed_blocks(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Blocks of a stream (float32 [N] at 16 kHz, any N) at the codec's level, by the rule above."""
    level, held, gain, ramp = RecentLevel(), [], None, np.arange(1, STEP + 1, dtype=np.float32)
    rest: list[np.ndarray] = []
    for step in _steps(blocks, rest):
        level.hear(step)
        if gain is None:
            held.append(step)
            if not level.settled and len(held) < HELD_SECONDS / STEP_SECONDS:
                continue
            gain = level.gain()
            yield np.concatenate(held) * np.float32(gain)
            held = []
            continue
        wanted = level.gain() if level.heard else gain
        if level.settled:
            wanted = min(wanted, gain * 10 ** (RISE_DB * STEP_SECONDS / 20))
        yield step * (np.float32(gain) + ramp * np.float32((wanted - gain) / STEP))
        gain = wanted
    last = np.concatenate([np.zeros(0, np.float32), *held, *rest])
    if gain is None:
        whole = LevelMeter()
        whole.add(last)
        gain = whole.gain()
    if len(last):
        yield last * np.float32(gain)


def _steps(blocks: Iterable[np.ndarray], rest: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Whole steps [STEP] of `blocks`; what is left at the end stays in `rest`."""
    samples = 0
    for block in blocks:
        rest.append(block)
        samples += len(block)
        if samples < STEP:
            continue
        whole = np.concatenate(rest)
        used = samples // STEP * STEP
        rest[:] = [whole[used:]]
        samples -= used
        yield from whole[:used].reshape(-1, STEP)
