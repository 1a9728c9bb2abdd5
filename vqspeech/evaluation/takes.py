"""A recording sent through methods: what comes back, and the bits that it took."""

import io
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.codes.codes import Codes
from vqspeech.data.corpus import Utterance
from vqspeech.errors import InputError
from vqspeech.evaluation import codecs
from vqspeech.evaluation.converted import Target
from vqspeech.evaluation.methods import CONVERTING, FILTERED, ORIGINAL, SAMPLED, Take
from vqspeech.evaluation.plan import Work
from vqspeech.evaluation.protocol import Codec
from vqspeech.evaluation.rates import RateMeter
from vqspeech.evaluation.usage import CodebookUsage
from vqspeech.synthesis.options import REFINED

Takes = dict[Take, np.ndarray | None]
"""Waveforms float32 [T] at 16 kHz; None: the original itself."""


class Recording(NamedTuple):
    """wave: float32 [T] at 16 kHz; cut: whether the file goes on after it. known: whether the model
    has the speaker's identity. identity: what it is decoded as, None: its own voice. targets: by
    method, whom it is converted to."""

    utterance: Utterance
    wave: np.ndarray
    cut: bool
    known: bool
    identity: str | None
    targets: dict[str, Target]


def as_kept(codec: Codec, codes: Codes) -> Codes:
    """What a `.vqs` file gives back of codes: their voice in as many bits as it has there."""
    file = io.BytesIO()
    codec.save_vqs(codes, file, packed=True)
    file.seek(0)
    return codec.load_vqs(file)[0]


class Takers:
    """Every method of a plan, and what their codes cost."""

    def __init__(self, codec: Codec, work: Work):
        self._codec, self._work = codec, work
        self.usage, self.rates = CodebookUsage(codec.loaded.config.quantizer), RateMeter()
        self.notes: list[str] = []

    def encode(self, recording: Recording) -> Codes:
        """The model's codes of a recording, which are counted; with its own voice, if it is to be
        decoded in that."""
        voice = not recording.known and (REFINED if self._work.refine else True)
        how = {"bitrate": self._work.bitrate, "search": self._work.search}
        codes = self._codec.encode(recording.wave, voice=voice, **how)
        size = self._codec.loaded.config.quantizer.codebook_size
        self.usage.add(codes.by_level[0], codes.samples, codes.bits_per_second(size))
        speaker = recording.utterance.speaker if recording.known else None
        self.rates.add_vqs(self._codec, codes, speaker)
        return as_kept(self._codec, codes) if recording.identity is None else codes

    def takes(self, recording: Recording, codes: Codes) -> Takes:
        """All that the methods make of a recording; one that fails costs a note."""
        found: Takes = {}
        for method in self._work.methods:
            if method == ORIGINAL:
                found[Take(method)] = None
            elif method in codecs.BY_NAME:
                found |= self._other(method, recording)
            else:
                found |= self._own(method, recording, codes)
        return found

    def _own(self, method: str, recording: Recording, codes: Codes) -> Takes:
        """One of the model's decoders; what is sampled, with every seed."""
        found: Takes = {}
        first, seeds = self._work.synthesis.seed, self._work.seeds if method in SAMPLED else 1
        kind = {"preview": method not in SAMPLED, "postfilter": method in FILTERED}
        for seed in range(first, first + seeds):
            how = replace(self._work.synthesis, seed=seed, **kind)
            if method not in CONVERTING:
                wave = self._codec.decode(codes, recording.identity, how)
            elif method in recording.targets:
                to = recording.targets[method].speaker
                search = self._work.search
                wave = self._codec.convert(
                    recording.wave, SAMPLE_RATE, to, **asdict(how), search=search
                )
            else:
                continue
            found[Take(method, seed)] = wave
        return found

    def _other(self, method: str, recording: Recording) -> Takes:
        try:
            coded = codecs.through(codecs.BY_NAME[method], recording.wave)
        except InputError as error:
            self.notes.append(f"{recording.utterance.path}: {error}")
            return {}
        self.rates.add(method, coded.coded_bits, coded.file_bits, coded.seconds)
        return {Take(method): coded.wave}
