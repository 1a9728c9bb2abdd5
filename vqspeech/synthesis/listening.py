"""Whose voice it is: the speaker encoder over the first seconds of speech of a recording.

What is asked for as a voice, and a recording that is worth it, is refined then (`RefinedListener`).

It hears stretches as long as those that it was trained on, and their vectors are averaged, each by
how much speech it has: so neither pauses nor the length of a recording matter.
"""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from vqspeech.audio.pitch import median_f0
from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE
from vqspeech.checkpoint.voices import Voice
from vqspeech.errors import InputError, warn_of
from vqspeech.nn.speaker_encoder import is_speech
from vqspeech.nn.surroundings import in_own_surroundings, one_thread
from vqspeech.synthesis.hidden import PITCH_SECONDS
from vqspeech.synthesis.levelling import levelled_blocks
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.refining import Refiner

SECONDS = 9.0
"""Of speech that are enough where a recording is encoded: listening takes time."""
VOICE_SECONDS = 30.0
"""Where a voice is what is asked for."""
STREAM_SPEECH, STREAM_SECONDS = 1.5, 5.0
"""Of speech in a stretch that is enough where a recording is encoded as it comes; and of anything
that is waited for, at most."""
FEW_SECONDS = 2.0
"""Of speech: with less a voice is not known well."""
TRUSTED_SECONDS = 0.5
"""Of speech: with less a voice is partly, and with none of it all, the average of those that the
model knows: what the speaker encoder makes of silence is nobody's, and far from all voices."""
LEAST_SECONDS = 1.0
"""Of a last stretch that is worth listening to where there are others."""


class Heard(NamedTuple):
    """vector: float32 [S]. frames: of speech that it was heard in, FILTER_BANK_HOP samples each."""

    vector: np.ndarray
    frames: int

    @property
    def seconds(self) -> float:
        """Of speech."""
        return self.frames * FILTER_BANK_HOP / SAMPLE_RATE

    def mean(self, other: "Heard") -> "Heard":
        """Both together, each by how much speech it has; a pause counts only beside a pause."""
        total = self.frames + other.frames
        if not total:
            return self
        vector = (self.frames * self.vector + other.frames * other.vector) / total
        return Heard(vector.astype(np.float32), total)


class Listener:
    """Levelled blocks of a recording in, a speaker vector out; in bounded memory."""

    def __init__(self, loaded: LoadedModel, seconds: float = SECONDS):
        """seconds: of speech that are enough. The model must have a speaker encoder."""
        self._model, self._device = loaded.model, loaded.device
        self._wanted = seconds * SAMPLE_RATE / FILTER_BANK_HOP
        self._length = loaded.config.reference_samples
        self._held, self._samples = [], 0
        self._heard: Heard | None = None
        self._ended = False
        self.samples = 0
        """Of the recording that were listened to, however it came."""

    @property
    def enough(self) -> bool:
        """Whether no more is listened to."""
        return self._heard is not None and self._heard.frames >= self._wanted

    def add(self, block: np.ndarray) -> None:
        """The next samples [N], as the encoder is given them."""
        if self.enough:
            return
        self._held.append(block)
        self._samples += len(block)
        if self._samples < self._length:
            return
        wave = np.concatenate(self._held)
        while len(wave) >= self._length and not self.enough:
            self._heard = self._with(wave[: self._length])
            self._listened(wave[: self._length])
            wave = wave[self._length :]
        self._held, self._samples = [wave.copy()], len(wave)

    def _listened(self, stretch: np.ndarray) -> None:
        """Once for all samples that are listened to, in their order."""
        self.samples += len(stretch)

    def vector(self, indices: np.ndarray | None = None) -> np.ndarray:
        """float32 [S], of what has come so far. indices: as of `heard`. Raises InputError where
        nothing has."""
        return self.heard(indices).vector

    def heard(self, indices: np.ndarray | None = None) -> Heard:
        """What has been heard, once nothing more comes. Raises InputError where nothing has.

        indices: the codes that the voice is to be decoded with. With little speech it is near the
        average voice, see `TRUSTED_SECONDS`.
        """
        rest = np.concatenate([np.zeros(0, np.float32), *self._held])
        if self._heard is None and not len(rest):
            raise InputError("the recording has no samples; give at least one")
        enough = self.enough or len(rest) < LEAST_SECONDS * SAMPLE_RATE
        found = self._heard if self._heard is not None and enough else self._with(rest)
        if not self.enough and not self._ended:
            self._ended = True
            self._listened(rest)
        if found.seconds >= TRUSTED_SECONDS:
            return found
        average = self._model.speakers.weight.mean(0).numpy(force=True)
        share = found.seconds / TRUSTED_SECONDS
        vector = share * found.vector + (1 - share) * average
        return found._replace(vector=vector.astype(np.float32))

    @torch.inference_mode()
    def _with(self, wave: np.ndarray) -> Heard:
        """What was heard before, and a stretch [N]."""
        assert self._model.speaker_encoder is not None
        samples = torch.from_numpy(wave)[None].to(self._device)
        with one_thread:  # so that it depends on nothing else
            log_mel = self._model.target_mel(F.pad(samples, (0, -len(wave) % FILTER_BANK_HOP)))
            vector = self._model.speaker_encoder(log_mel)[0].cpu().numpy()
        new = Heard(vector, int(is_speech(log_mel).sum()))
        return new if self._heard is None else self._heard.mean(new)


class RefinedListener(Listener):
    """A listener that takes its time: its vector is moved on to explain what it was heard
    in (`synthesis.refining`).

    levels: codes of a frame that it is to explain it with.
    """

    def __init__(self, loaded: LoadedModel, seconds: float = VOICE_SECONDS, levels: int = 1):
        super().__init__(loaded, seconds)
        self._refiner = Refiner(loaded, levels)

    def _listened(self, stretch: np.ndarray) -> None:
        super()._listened(stretch)
        self._refiner.add(stretch)

    def heard(self, indices: np.ndarray | None = None) -> Heard:
        found = super().heard()
        return found._replace(vector=self._refiner.refined(found.vector, indices))


def held_back(
    blocks: Iterable[np.ndarray], listener: Listener, most_seconds: float = STREAM_SECONDS
) -> Iterator[np.ndarray]:
    """`blocks` as they come, the first of them once `listener` has heard enough, or so much of
    anything."""
    held, samples, blocks = [], 0, iter(blocks)
    for block in blocks:
        held.append(block)
        listener.add(block)
        samples += len(block)
        if listener.enough or samples >= most_seconds * SAMPLE_RATE:
            break
    yield from held
    yield from blocks


def check_listens(loaded: LoadedModel, name: str | os.PathLike) -> None:
    """Raise InputError for a model that knows voices by name only. name: of the recording."""
    if not loaded.hears_voices:
        raise InputError(
            f"{name}: model {loaded.config.name} has no speaker encoder to hear whose voice this "
            "is; name a speaker (`vqspeech speakers` lists them), or make a voice of it with "
            "`vqspeech enroll`"
        )


@in_own_surroundings
def voice_of_blocks(
    loaded: LoadedModel, blocks: Iterable[np.ndarray], gain: float, name: str
) -> Voice:
    """The voice of a recording's blocks (float32 [N] at 16 kHz), which are multiplied by `gain`.

    Warns where there is little speech. Raises InputError where there is none.
    """
    listener, start = RefinedListener(loaded), np.zeros(0, np.float32)
    for block in levelled_blocks(blocks, gain):
        listener.add(block)
        if len(start) < PITCH_SECONDS * SAMPLE_RATE:
            start = np.concatenate([start, block])
        if listener.enough:
            break
    heard = listener.heard()
    seconds = heard.seconds
    if not seconds:
        raise InputError(f"{name}: has no speech to know a voice by; name another recording")
    if seconds < FEW_SECONDS:
        warn_of(
            f"{name}: has {seconds:.1f} s of speech, which is little for a voice; give 3 s or more"
        )
    f0 = median_f0(start[: min(round(PITCH_SECONDS * SAMPLE_RATE), listener.samples)])
    known = f0 if np.isfinite(f0) else 0.0
    return Voice(name, heard.vector, loaded.fingerprint, seconds, known)
