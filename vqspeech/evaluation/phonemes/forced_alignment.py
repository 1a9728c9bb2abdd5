"""Forced alignment: when each phoneme of a known sentence is said, by pocketsphinx.

Its US English model and CMU dictionary are inside its wheel; nothing is fetched. ARPAbet, 39
phonemes and silence.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.reading import duration, read
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.corpus import Utterance
from vqspeech.errors import InputError
from vqspeech.evaluation.extras import require
from vqspeech.evaluation.metrics.words import normalise
from vqspeech.evaluation.phonemes.alignment import UNREADABLE, Alignment, NotAligned, save_alignment

FRAMES_PER_SECOND = 100

MAX_SECONDS = 60.0
"""Time and memory of an alignment grow faster than its recording."""

_CENTRE_SECONDS = 0.0078
"""How far the 10 ms around the middle of pocketsphinx's 25.6 ms window are behind its beginning,
from which it counts time."""

_NO_FIT = "the words do not fit the recording"


class ForcedAligner:
    """Aligns sentences to recordings. Raises InputError without pocketsphinx."""

    def __init__(self):
        decoder = require("pocketsphinx").Decoder
        self._decoder = decoder(
            samprate=SAMPLE_RATE, cmn="batch", lm=None, bestpath=False, loglevel="FATAL"
        )

    def __call__(self, wave: np.ndarray, transcript: str) -> Alignment:
        """The phonemes of `transcript` in `wave` (float32 [T] at 16 kHz), from 0 to its end.

        Words are found first, with the pronunciation that fits best and pauses where they are made;
        phonemes within them in a second pass. Raises NotAligned.
        """
        words = self._known_words(transcript)
        if not is_scorable(wave):
            raise NotAligned("silent, or shorter than 0.25 s")
        # Cepstral means carry over from one utterance to the next: results depended on the order.
        self._decoder.reinit_feat()
        pcm = (np.clip(wave, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        try:
            self._decoder.set_align_text(" ".join(words))
            self._decode(pcm)
            if self._decoder.hyp() is None:
                raise NotAligned(_NO_FIT)
            self._decoder.set_alignment()
            self._decode(pcm)
        except RuntimeError:
            raise NotAligned(_NO_FIT) from None
        return self._alignment(len(wave) / SAMPLE_RATE)

    def _known_words(self, transcript: str) -> list[str]:
        words = normalise(transcript)
        if not words:
            raise NotAligned("no words in the transcript")
        # `normalise` leaves figures out, but they were said.
        spelt = not any(character.isdigit() for character in transcript)
        if not spelt or any(self._decoder.lookup_word(word) is None for word in words):
            raise NotAligned("a word that the dictionary lacks")
        return words

    def _decode(self, pcm: bytes) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()

    def _alignment(self, seconds: float) -> Alignment:
        found = list(self._decoder.get_alignment().phones())
        bounds = [phone.start / FRAMES_PER_SECOND + _CENTRE_SECONDS for phone in found]
        # The first and the last interval reach to the ends, of which no window has the middle.
        bounds = [0.0, *bounds[1:], max(seconds, bounds[-1])]
        intervals = zip(bounds[:-1], bounds[1:], (phone.name for phone in found), strict=True)
        return Alignment(intervals)


class TranscriptAligner:
    """Aligns utterances to their transcripts, by path, and keeps the results in a folder `keep`.

    Raises InputError without pocketsphinx.
    """

    about = "forced alignment of transcripts by pocketsphinx"

    def __init__(self, transcripts: Mapping[Path, str], keep: Path | None = None):
        self._transcripts, self._keep = transcripts, keep
        self._aligner = ForcedAligner()

    def __call__(self, utterance: Utterance) -> Alignment:
        """Its alignment. Raises NotAligned, and InputError if it cannot be kept."""
        transcript = self._transcripts.get(utterance.path)
        if transcript is None:
            raise NotAligned("no transcript")
        try:
            if duration(utterance.path) > MAX_SECONDS:
                raise NotAligned(f"longer than {MAX_SECONDS:g} s")
            wave = read(utterance.path, quiet=True)
        except InputError:
            raise NotAligned(UNREADABLE) from None
        alignment = self._aligner(wave, transcript)
        if self._keep is not None:
            save_alignment(alignment, self._keep, utterance)
        return alignment
