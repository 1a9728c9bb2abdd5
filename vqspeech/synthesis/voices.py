"""Whose voice codes are decoded in: names of trained speakers, files of enrolled ones, recordings
of anybody, and what codes were kept with."""

import os
from collections.abc import Callable

import numpy as np
import torch

from vqspeech.arguments import shown
from vqspeech.audio import reading as audio
from vqspeech.audio.kinds import is_recording
from vqspeech.audio.level import SpeechMeter
from vqspeech.audio.resampling import resample_blocks
from vqspeech.checkpoint.speakers import find_row
from vqspeech.checkpoint.voices import Voice, check_voice, is_voice_file, load_voice
from vqspeech.codes.codes import Codes
from vqspeech.codes.stream import CodeStream
from vqspeech.data.index import OTHER
from vqspeech.errors import InputError
from vqspeech.synthesis.levelling import gain_of
from vqspeech.synthesis.listening import check_listens, voice_of_blocks
from vqspeech.synthesis.loaded import LoadedModel

VoiceName = str | os.PathLike | Voice | None
"""A name, a file of `vqspeech enroll`, a recording of whose voice it is to be, a `Voice`, or None,
which will do for a model of one speaker, and for codes that were kept with their own."""

MOST_HEARD = 16
"""Voices of recordings that are remembered, so that a folder's are not listened to for each file.
"""


class Voices:
    """The voices of a model."""

    def __init__(self, loaded: LoadedModel):
        self._loaded, self.table = loaded, loaded.about.speakers
        self.names: list[str] = [speaker.name for speaker in self.table]
        self._heard: dict[tuple, Voice] = {}

    def row(self, name: str | os.PathLike | None) -> int:
        """The row of a trained speaker. Raises InputError."""
        return find_row(self.table, _named(name))

    def find(self, speaker: VoiceName) -> str | Voice | None:
        """The name of a trained speaker, or the voice of a file or recording; None for none.

        Raises InputError.
        """
        if isinstance(speaker, Voice):
            dim = self._loaded.config.conditioning.speaker_dim
            check_voice(speaker, self._loaded.fingerprint, dim)
            return speaker
        name = _named(speaker)
        if name is None or name in self.names:
            return name
        if is_voice_file(name):
            dim = self._loaded.config.conditioning.speaker_dim
            return load_voice(name, self._loaded.fingerprint, dim)
        if is_recording(name) or (os.path.exists(name) and not os.path.isdir(name)):
            return self.of_file(name)  # which refuses pipes: it reads twice
        return self.names[self.row(name)]

    def prior_name(self, speaker: VoiceName) -> str | None:
        """The name by which a prior knows a voice; None, "any speaker", for one that is none of the
        model's. Raises InputError.
        """
        found = self.find(speaker)
        return None if isinstance(found, Voice) else found

    def vector(self, speaker: VoiceName) -> torch.Tensor:
        """The vector [1, S] of a voice, on the model's device. Raises InputError."""
        found = self.find(speaker)
        if isinstance(found, Voice):
            return self._on_device(found.vector)
        return self._loaded.model.speakers.weight[self.row(found)][None]

    def of(self, codes: Codes, speaker: VoiceName) -> torch.Tensor:
        """The vector [1, S] to decode codes with: the speaker's, or else their own. Raises
        InputError."""
        if speaker is None and codes.voice is not None:
            return self._on_device(self.own(codes).vector)
        return self.vector(speaker)

    def of_stream(self, codes: object, speaker: VoiceName) -> torch.Tensor:
        """`of` codes that come one after the other; waits for the first ones of a `CodeStream` that
        tells its voice. Raises InputError."""
        if speaker is None and isinstance(codes, CodeStream) and codes.voice is not None:
            return self._on_device(codes.voice)
        return self.vector(speaker)

    def own(self, codes: Codes) -> Voice:
        """The voice that codes were kept with. Raises InputError where that is not one of this
        model, and where they have none."""
        if codes.voice is None:
            raise InputError("the codes know no voice; encode the recording again, with voice=True")
        voice = Voice("", codes.voice, codes.model or "", float(codes.seconds))
        check_voice(voice, self._loaded.fingerprint, self._loaded.config.conditioning.speaker_dim)
        return voice

    def f0(self, speaker: VoiceName) -> float:
        """Median F0 of a voice in Hz, 0 where it is not known. Raises InputError."""
        found = self.find(speaker)
        return found.f0 if isinstance(found, Voice) else self.table[self.row(found)].f0

    def any(self, seed: int) -> str:
        """A speaker drawn by `seed`, for who names none; not `other`, which is nobody's voice."""
        names = [name for name in self.names if name != OTHER] or self.names
        return names[int(np.random.Generator(np.random.Philox(seed)).integers(len(names)))]

    def of_wave(self, wave: np.ndarray, rate: int, name: str = "") -> Voice:
        """The voice of a recording [T] at `rate` Hz. Raises InputError."""
        check_listens(self._loaded, called := name or "the recording")
        blocks = list(resample_blocks([wave], rate))
        voice = voice_of_blocks(self._loaded, blocks, gain_of(SpeechMeter(blocks), called), called)
        return voice._replace(name=name)

    def of_file(self, path: str | os.PathLike) -> Voice:
        """The voice of an audio file, called as that is, without folder and extension. Raises
        InputError."""
        check_listens(self._loaded, path)

        def listen() -> Voice:
            gain, blocks = gain_of(audio.measure_level(path), path), audio.read_blocks(path)
            voice = voice_of_blocks(self._loaded, blocks, gain, os.fspath(path))
            return voice._replace(name=os.path.splitext(os.path.basename(voice.name))[0])

        return self._remembered(path, listen)

    def _remembered(self, path: str | os.PathLike, listen: Callable[[], Voice]) -> Voice:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return listen()  # which says what is wrong with it
        key = (os.path.abspath(path), status.st_mtime_ns, status.st_size)
        if (voice := self._heard.get(key)) is None:
            voice = self._heard[key] = listen()
            for old in list(self._heard)[:-MOST_HEARD]:  # of which another thread may take some
                self._heard.pop(old, None)
        return voice

    def _on_device(self, vector: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(vector.astype(np.float32))[None].to(self._loaded.device)


def _named(speaker: str | os.PathLike | None) -> str | None:
    """What a speaker is called by, as text. Raises InputError."""
    if speaker is None:
        return None
    if not isinstance(speaker, str | os.PathLike) or not isinstance(os.fspath(speaker), str):
        raise InputError(
            f"speaker {shown(speaker)} must be a name (`vqspeech speakers` lists them), a file of "
            "`vqspeech enroll`, or a recording of the voice"
        )
    return os.fspath(speaker)
