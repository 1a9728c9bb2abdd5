"""Voice conversion: the codes of a recording, decoded as somebody else, at the recording's level.

Codes this few carry pitch: so the source's is moved to the target's before it is encoded, and what
is still missing then is added to the F0 that the codes predict. They carry some of the source's
voice: so the sound is guided further to the target's. They do not carry loudness, decoded speech
has the codec's one level: so the decoded blocks wait in a temporary file until their own level is
known, and then take the source's.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from io import RawIOBase
from typing import Any, NamedTuple

import numpy as np

from vqspeech.arguments import for_each
from vqspeech.audio import reading as audio
from vqspeech.audio.level import SILENCE_DB, LevelMeter, SpeechMeter
from vqspeech.audio.pitch import median_f0
from vqspeech.audio.psola import transposed_blocks
from vqspeech.audio.resampling import resample_blocks
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.audio.writing import Writer
from vqspeech.errors import InputError, named
from vqspeech.files import check_apart, reason
from vqspeech.synthesis.encoding import Progress, Recording, RecordingEncoder
from vqspeech.synthesis.hidden import PITCH_SECONDS, Spoken
from vqspeech.synthesis.levelling import gain_of
from vqspeech.synthesis.options import LARGEST_SEMITONES, Change, Conversion, chosen
from vqspeech.synthesis.rendering import Renderer
from vqspeech.synthesis.voices import VoiceName, Voices
from vqspeech.synthesis.waves import as_mono, as_rate

LARGEST_GAIN_DB = 30.0
PEAK = 0.99
"""Of full scale: a loud source must not make the result clip."""
BLOCK_SAMPLES = 1 << 16
SMALLEST_SEMITONES = 0.5
"""By less it is not worth to move a pitch."""


def at_level_of(
    source: LevelMeter,
    blocks: Iterable[np.ndarray],
    progress: Progress | None = None,
) -> Iterator[np.ndarray]:
    """`blocks` of 16 kHz speech (float32 [N] each) with the active-speech level of `source`.

    One gain for all of them, less where a sample would go beyond full scale. They are taken to
    their end (progress: called with the seconds so far) before the first comes out, and memory
    does not grow with their number. Raises InputError where there is no room to keep them.
    """
    meter, peak, samples = LevelMeter(), 0.0, 0
    with ExitStack() as stack:
        with _kept_aside():
            spool = stack.enter_context(tempfile.TemporaryFile(prefix="vqspeech-", buffering=0))
        for block in blocks:
            meter.add(block)
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            with _kept_aside():
                _write(spool, block.astype(np.float32))
            samples += len(block)
            if progress is not None:
                progress(samples / SAMPLE_RATE)
        gain = np.float32(min(_gain(source, meter), PEAK / max(peak, 1e-9)))
        spool.seek(0)
        while data := spool.read(BLOCK_SAMPLES * 4):
            yield np.frombuffer(data, np.float32) * gain


@contextmanager
def _kept_aside() -> Iterator[None]:
    """Errors of the temporary file inside are no errors of the output's."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"decoded speech cannot be kept in {tempfile.gettempdir()} ({reason(error)}): make "
            "room there, or name another folder in TMPDIR"
        ) from None


def _write(spool: RawIOBase, block: np.ndarray) -> None:
    left = memoryview(block.tobytes())
    while left:  # a disk that fills up takes a part
        left = left[spool.write(left) :]


def _gain(source: LevelMeter, decoded: LevelMeter) -> float:
    """Linear gain from the level of `decoded` to that of `source`; silence is never raised."""
    if decoded.loud_db < SILENCE_DB:
        return 1.0
    highest = LARGEST_GAIN_DB if source.loud_db >= SILENCE_DB else 0.0
    step = max(source.active_db, -200.0) - decoded.active_db
    return float(10 ** (min(step, highest) / 20))


class Move(NamedTuple):
    """How the pitch of a recording is to change.

    step: semitones by which the source is moved before it is encoded. f0: in Hz, the median that
    the decoded voice is to have; 0 where nothing says it.
    """

    step: float
    f0: float


def planned(
    blocks: Iterable[np.ndarray], pitch: str | float, target: float, sets_f0: bool = True
) -> Move:
    """How the pitch of a recording is to change; its first minute tells where it is.

    blocks: at 16 kHz. pitch: as in `Conversion`. target: F0 in Hz, 0 if not known. sets_f0:
    whether `Move.f0` is of use; without, the pitch is looked for only where the step depends on
    it.
    """
    step = 0.0 if isinstance(pitch, str) else float(pitch)
    if not (target if pitch == "target" else sets_f0):
        return Move(step, 0.0)
    heard, samples = [], 0
    for block in blocks:
        heard.append(block)
        samples += len(block)
        if samples >= PITCH_SECONDS * SAMPLE_RATE:
            break
    source = median_f0(np.concatenate(heard)[: round(PITCH_SECONDS * SAMPLE_RATE)])
    source = source if np.isfinite(source) else 0.0
    if pitch == "target":
        step = 12 * np.log2(target / source) if source else 0.0
        step = float(np.clip(step, -LARGEST_SEMITONES, LARGEST_SEMITONES))
        return Move(step if abs(step) >= SMALLEST_SEMITONES else 0.0, target)
    return Move(step, source * 2 ** (step / 12))


def missing(predicted: float, wanted: float) -> float:
    """Semitones between the median F0 that the codes have (NaN: none) and the one that is wanted
    (0: none is)."""
    if not wanted or not np.isfinite(predicted):
        return 0.0
    step = 12 * np.log2(wanted / predicted)
    return float(np.clip(step, -LARGEST_SEMITONES, LARGEST_SEMITONES))


class Converter:
    """Recordings to other voices, with the parts of one model."""

    def __init__(self, encoder: RecordingEncoder, voices: Voices, renderer: Renderer):
        self._encoder, self._voices, self._renderer = encoder, voices, renderer
        self._sets_f0 = encoder.loaded.predicts_pitch

    def spoken(self, wave: np.ndarray, speaker: VoiceName, options: Conversion) -> Spoken:
        """What `wave` (float32 [T] at 16 kHz) is to become as `speaker`. Raises InputError."""
        return self._planned(Recording("the recording", wave, SAMPLE_RATE), speaker, options)[1]

    def _changed(self, plain: Spoken, move: Move, options: Conversion) -> Spoken:
        predicted = self._renderer.hidden.median_f0(plain.codes, plain.vector)
        guidance = options.guidance
        if guidance is None:
            guidance = self._encoder.loaded.config.conversion.guidance
        return plain._replace(change=Change(missing(predicted, move.f0), guidance))

    def wave(
        self,
        wave: Any,
        rate: int = SAMPLE_RATE,
        speaker: VoiceName = None,
        options: Conversion | None = None,
        **changes,
    ) -> np.ndarray:
        """A recording as another speaker would say it, at its own level: float32 [T] at 16 kHz.

        wave, rate: as in `Codec.encode`. options, changes: of `Conversion`, as in `pitch="keep"`.
        Raises InputError.
        """
        how = chosen(Conversion, options, changes)
        one = Recording("the recording", as_mono(wave), as_rate(rate))
        level, spoken = self._planned(one, speaker, how)
        return np.concatenate(list(at_level_of(level, self._renderer.blocks(spoken, how))))

    def waves(
        self, sources: Sequence[Recording], speakers: Any, options: Conversion, streams: int
    ) -> list[np.ndarray]:
        """`wave` of several recordings, side by side, each as alone.

        speakers: one for all, or one for each. streams: how many are sampled at once. Raises
        InputError, which says of which recording.
        """
        levels, spoken = [], []
        for one, speaker in zip(sources, for_each("speakers", speakers, len(sources)), strict=True):
            with named(one.name):
                level, said = self._planned(one, speaker, options)
            levels.append(level)
            spoken.append(said)
        parts: list[list[np.ndarray]] = [[] for _ in sources]
        for number, block in self._renderer.together(spoken, options, streams):
            if block is not None:
                parts[number].append(block)
        levelled = map(at_level_of, levels, parts)
        return [np.concatenate(list(blocks)) for blocks in levelled]

    def _planned(
        self, source: Recording, speaker: VoiceName, options: Conversion
    ) -> tuple[LevelMeter, Spoken]:
        """(the level of a recording, what it is to become)."""
        wave = np.concatenate(list(resample_blocks([source.wave], source.rate)))
        level = SpeechMeter([wave])
        move = planned([wave], options.pitch, self._voices.f0(speaker), self._sets_f0)
        gain = gain_of(level, source.name)
        encoder = self._encoder.at(options.bitrate, options.search)
        codes = encoder.blocks(transposed_blocks([wave], move.step), gain)
        return level, self._changed(Spoken(codes, self._voices.vector(speaker)), move, options)

    def file(
        self,
        source: str | os.PathLike,
        path: str | os.PathLike,
        speaker: VoiceName = None,
        options: Conversion | None = None,
        *,
        progress: Progress | None = None,
        **changes,
    ) -> int:
        """`wave` of an audio file to a 16-bit WAV or FLAC file, in memory that its length does not
        move; returns the samples written. progress: called with the seconds done so far. Raises
        InputError, also where `path` is the source.
        """
        check_apart(source, path)
        how = chosen(Conversion, options, changes)
        vector, target = self._voices.vector(speaker), self._voices.f0(speaker)
        encoder, level = self._encoder.at(how.bitrate, how.search), audio.measure_level(source)
        heard = audio.read_blocks(source, quiet=True)
        move = planned(heard, how.pitch, target, self._sets_f0)
        moved = transposed_blocks(audio.read_blocks(source), move.step)
        spoken = Spoken(encoder.blocks(moved, gain_of(level, source)), vector)
        made = self._renderer.blocks(self._changed(spoken, move, how), how)
        with closing(made) as blocks, Writer(path) as file:
            for block in at_level_of(level, blocks, progress):
                file.add(block)
        return file.samples
