"""What the page does, without the page: a model shared by all visitors, and limits on each of them.

Every long call is a generator of (share done, result or None), so that the page can show how far it
is and stop it between two of them.
"""

import io
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from vqspeech.audio import reading as audio
from vqspeech.audio.level import SILENCE_DB, LevelMeter, SpeechMeter
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.audio.writing import to_int16
from vqspeech.checkpoint.voices import Voice, load_voice
from vqspeech.codec import Codec
from vqspeech.codes.codes import Codes
from vqspeech.demo import pictures
from vqspeech.demo.settings import Limits
from vqspeech.errors import InputError
from vqspeech.synthesis.conversion import at_level_of
from vqspeech.synthesis.enrolment import nearest_speakers
from vqspeech.synthesis.hidden import Spoken
from vqspeech.synthesis.options import Conversion, Listening, Synthesis

SAMPLES_KEPT = 64
"""Samples of voices held in memory."""
SOUNDS = Path(str(resources.files("vqspeech.demo") / "sounds"))
SENTENCE = SOUNDS / "woman.flac"
"""What each voice says as its sample."""
GENDERS = {"f": "woman", "m": "man"}
NEAREST_SECONDS = 6.0
WAV_HEADER, NPY_HEADER = 44, 128
"""Bytes."""


class Recording(NamedTuple):
    """What a visitor brought: float32 [T] at 16 kHz, its level, its file's name."""

    wave: np.ndarray
    level: LevelMeter
    name: str

    @property
    def seconds(self) -> float:
        return len(self.wave) / SAMPLE_RATE


class Studio:
    """A loaded model and its voices, used by many threads at once.

    voices: files of `vqspeech enroll` that are offered beside the trained speakers. Raises
    InputError for a voice of another model.
    """

    def __init__(self, codec: Codec, limits: Limits, voices: Sequence[str] = ()):
        self.codec, self.limits = codec, limits
        dim = codec.config.conditioning.speaker_dim
        loaded = {path: load_voice(path, codec.fingerprint, dim) for path in voices}
        names = Counter(voice.name for voice in loaded.values())
        self.enrolled = {
            f"{v.name} (enrolled{f', {path}' if names[v.name] > 1 else ''})": path
            for path, v in loaded.items()
        }
        codebook = codec.model.quantizer.codebook.detach().cpu().numpy()
        self.colours = pictures.code_colours(codebook)
        self._samples: OrderedDict[tuple, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    # What there is

    @property
    def renderers(self) -> list[str]:
        """Ways to make sound, the one to begin with first: "wavenet", "preview"."""
        found = []
        for how in ("wavenet", "preview"):
            try:
                self.codec.check_decodable(preview=how == "preview")
            except InputError:
                continue
            found.append(how)
        return found

    @property
    def generates(self) -> bool:
        """Whether the model has a prior to draw new speech from."""
        return self.codec.has_prior

    def voices(self, gender: str | None = None) -> list[tuple[str, str]]:
        """(what to show, name) of the voices, enrolled ones first, then most minutes first."""
        table = [s for s in self.codec.speaker_table if gender in (None, s.gender)]
        table.sort(key=lambda speaker: -speaker.minutes if speaker.gender else 0.0)
        shown = [(name, name) for name in self.enrolled] if gender is None else []
        for speaker in table:
            who = GENDERS.get(speaker.gender, "voices of many")
            shown.append((f"{speaker.name} · {who} · {speaker.minutes:.1f} min", speaker.name))
        return shown

    @property
    def hears(self) -> bool:
        """Whether a recording can be the voice to speak in."""
        return self.codec.hears_voices

    def speaker(self, voice: str | None) -> str:
        """What the codec takes for a voice of the list. Raises InputError for any other."""
        if not voice:
            raise InputError("choose a voice first")
        if voice in self.enrolled:
            return self.enrolled[voice]
        self.codec.speaker_row(voice)
        return voice

    # What it does

    def read(self, path: str | None) -> Recording:
        """A visitor's file, refused beyond the limits before it takes memory. Raises InputError."""
        if not path:
            raise InputError("no recording yet: upload one, record one, or take an example")
        name, most = os.path.basename(path), round(self.limits.seconds * SAMPLE_RATE)
        level, blocks, samples = SpeechMeter(), [], 0
        try:
            if os.path.getsize(path) > self.limits.megabytes * 1e6:
                raise InputError(f"{name}: is larger than {self.limits.megabytes:g} MB; cut it")
            for block in audio.read_blocks(path, 1.0, quiet=True):
                samples += len(block)
                if samples > most:
                    raise InputError(
                        f"{name}: is longer than {self.limits.seconds:g} s, the limit of this "
                        "page; cut it, or use the command line, which has none"
                    )
                level.add(block)
                blocks.append(block)
        except InputError as error:  # where the page keeps a file is nobody's business
            raise InputError(str(error).replace(path, name)) from None
        except OSError:
            raise InputError(f"{name}: is no longer here; upload it again") from None
        if level.loud_db < SILENCE_DB:
            raise InputError(
                f"{name}: is nothing but silence; look at the microphone, or its level"
            )
        return Recording(np.concatenate(blocks), level, name)

    def voice_of(self, path: str) -> Voice:
        """The voice in a visitor's file. Raises InputError."""
        read = self.read(path)
        return self.codec.voice_of(read.wave, SAMPLE_RATE, read.name)

    def nearest(self, recording: Recording) -> str:
        """The trained voice that explains a recording best."""
        start = max(0, (len(recording.wave) - round(NEAREST_SECONDS * SAMPLE_RATE)) // 2)
        wave = recording.wave[start : start + round(NEAREST_SECONDS * SAMPLE_RATE)]
        return nearest_speakers(self.codec.encoder, wave)[0]

    def converted(self, recording: Recording, voice: str | Voice | None, pitch: str) -> Spoken:
        """What a recording is to become as a voice of the list, or a visitor's. pitch: "target" or
        "keep". Raises InputError."""
        speaker = voice if isinstance(voice, Voice) else self.speaker(voice)
        how = Conversion(pitch=pitch, search=self.codec.searches)
        return self.codec.converter.spoken(recording.wave, speaker, how)

    def encode(self, recording: Recording, voice: Listening, bitrate: float | None) -> Codes:
        """A recording's codes, searched where the model can: as `Codec.encode`."""
        how = {"bitrate": bitrate, "search": self.codec.searches}
        return self.codec.encode(recording.wave, voice=voice, **how)

    def spoken(self, codes: Codes, voice: str | None) -> Spoken:
        """Codes as they are, in a voice of the list; None for the one that they have. Raises
        InputError."""
        named = None if voice is None else self.speaker(voice)
        return Spoken(codes, self.codec.voices.of(codes, named))

    def decode(
        self, spoken: Spoken, renderer: str, level: LevelMeter | None, seed: int = 0
    ) -> Iterator[tuple[float, np.ndarray | None]]:
        """Speech, int16 [T], at `level` (None: the codec's own). Raises InputError."""
        how, blocks, done = Synthesis(seed, preview=renderer == "preview"), [], 0
        for block in self.codec.renderer.blocks(spoken, how):
            blocks.append(block)
            done += len(block)
            yield done / spoken.codes.samples, None
        if level is not None:
            blocks = list(at_level_of(level, blocks))
        yield 1.0, to_int16(np.concatenate(blocks))[0]

    def sample(self, voice: str) -> np.ndarray:
        """A sentence in a voice, int16 [T], made when it is first asked for."""
        key = (self.speaker(voice), self.renderers[0])
        with self._lock:
            if key in self._samples:
                self._samples.move_to_end(key)
                return self._samples[key]
        said = self.spoken(self.codec.encode_file(SENTENCE), voice)
        made = self.decode(said, self.renderers[0], None)
        wave = next(wave for _, wave in made if wave is not None)
        with self._lock:
            self._samples[key] = wave
            if len(self._samples) > SAMPLES_KEPT:
                self._samples.popitem(last=False)
        return wave

    def picture(self, recording: Recording | None, wave: np.ndarray, codes: Codes, title) -> str:
        """HTML of source (if any) and result (int16 [T]) with pitch, and of the codes."""
        result = wave.astype(np.float32) / 32768
        panels = [] if recording is None else [pictures.Panel("source", recording.wave)]
        return pictures.picture(
            [*panels, pictures.Panel(title, result)],
            codes.indices,
            self.colours[self.codec.codebook_rows(codes)],
        )

    def rates(self) -> list[tuple[str, float]]:
        """(what to show, bit/s) of the rates that the model has, the lowest first."""
        return [(f"{rate:g} bit/s", rate) for rate in self.codec.bit_rates]

    def sizes(self, recording: Recording, codes: Codes) -> list[tuple[str, int, float]]:
        """(what, bytes, bit/s) of a recording in several forms, the largest first; of codes of
        several levels, those of lower rates too."""
        bits = (self.codec.codebook_size - 1).bit_length()
        found = {
            "WAV, 16 kHz, 16 bit": WAV_HEADER + 2 * len(recording.wave),
            "Opus, as low as libsndfile goes": opus_bytes(recording.wave),
            "codes as .npy": NPY_HEADER + 2 * codes.levels * codes.frames,
        }
        for levels, (rate, _) in enumerate(self.rates()[: codes.levels], 1):
            kept = "" if codes.levels == 1 else f" at {rate}"
            found[f"codes{kept}, {bits} bits each"] = -(-levels * codes.frames * bits // 8)
        ordered = sorted(found.items(), key=lambda item: -item[1])
        return [(name, size, 8 * size / recording.seconds) for name, size in ordered]


def opus_bytes(wave: np.ndarray) -> int:
    """Bytes of `wave` (float32 [T] at 16 kHz) as the smallest Ogg Opus file libsndfile makes."""
    file = io.BytesIO()
    soundfile.write(file, wave, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=1.0)
    return len(file.getvalue())
