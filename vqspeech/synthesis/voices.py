"""Whose voice codes are decoded in: names of trained speakers, and files of enrolled ones."""

import os

import numpy as np
import torch

from vqspeech.arguments import shown
from vqspeech.checkpoint.speakers import find_row
from vqspeech.checkpoint.voices import Voice, is_voice_file, load_voice
from vqspeech.data.index import OTHER
from vqspeech.errors import InputError
from vqspeech.synthesis.loaded import LoadedModel

VoiceName = str | os.PathLike | None
"""A name, a file of `vqspeech enroll`, or None, which will do for a model of one speaker."""


class Voices:
    """The voices of a model."""

    def __init__(self, loaded: LoadedModel):
        self._loaded, self.table = loaded, loaded.about.speakers
        self.names: list[str] = [speaker.name for speaker in self.table]

    def row(self, name: VoiceName) -> int:
        """The row of a trained speaker. Raises InputError."""
        return find_row(self.table, _named(name))

    def known(self, speaker: VoiceName) -> str | None:
        """The name of a trained speaker, or None. Raises InputError."""
        if is_voice_file(speaker) and speaker not in self.names:
            raise InputError(
                f"{speaker}: is a voice, of which a .vqs file cannot tell; leave the speaker out, "
                "and decode with it"
            )
        return None if speaker is None else self.names[self.row(speaker)]

    def prior_name(self, speaker: VoiceName) -> str | None:
        """The name by which a prior knows a voice; None, "any speaker", for an enrolled one.

        Raises InputError.
        """
        return None if self._enrolled(speaker) is not None else self.known(speaker)

    def vector(self, speaker: VoiceName) -> torch.Tensor:
        """The vector [1, S] of a voice, on the model's device. Raises InputError."""
        if (voice := self._enrolled(speaker)) is not None:
            return torch.from_numpy(voice.vector)[None].to(self._loaded.device)
        return self._loaded.model.speakers.weight[self.row(speaker)][None]

    def f0(self, speaker: VoiceName) -> float:
        """Median F0 of a voice in Hz, 0 where it is not known. Raises InputError."""
        if (voice := self._enrolled(speaker)) is not None:
            return voice.f0
        return self.table[self.row(speaker)].f0

    def any(self, seed: int) -> str:
        """A speaker drawn by `seed`, for who names none; not `other`, which is nobody's voice."""
        names = [name for name in self.names if name != OTHER] or self.names
        return names[int(np.random.Generator(np.random.Philox(seed)).integers(len(names)))]

    def _enrolled(self, speaker: VoiceName) -> Voice | None:
        """The voice of a file; None for what is no file's name. Raises InputError."""
        speaker = _named(speaker)
        if speaker is None or speaker in self.names or not is_voice_file(speaker):
            return None
        dim = self._loaded.config.conditioning.speaker_dim
        return load_voice(speaker, self._loaded.fingerprint, dim)


def _named(speaker: VoiceName) -> str | None:
    """What a speaker is called by, as text. Raises InputError."""
    if speaker is None:
        return None
    if not isinstance(speaker, str | os.PathLike) or not isinstance(os.fspath(speaker), str):
        raise InputError(
            f"speaker {shown(speaker)} must be a name, or a file of `vqspeech enroll` "
            "(`vqspeech speakers` lists the names)"
        )
    return os.fspath(speaker)
