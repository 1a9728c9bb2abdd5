"""Voice conversion: the codes of a recording, decoded as somebody else, at the recording's level.

Codes this few carry pitch: so the source's is moved to the target's before it is encoded, and what
is still missing then is added to the F0 that the codes predict. They carry some of the source's
voice: so the target's is emphasised. They do not carry loudness, decoded speech has the codec's one
level: so the decoded blocks wait in a temporary file until their own level is known, and then take
the source's.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vqspeech.audio import reading as audio
from vqspeech.audio.level import SILENCE_DB, LevelMeter, level_gain
from vqspeech.audio.pitch import median_f0
from vqspeech.audio.psola import transposed_blocks
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.codes.codes import Codes
from vqspeech.errors import InputError
from vqspeech.sampling.checks import EMPHASIS, check_emphasis
from vqspeech.synthesis.rendering import PITCH_SECONDS, Change

if TYPE_CHECKING:
    from vqspeech.codec import Codec

LARGEST_GAIN_DB = 30.0
PEAK = 0.99
"""Of full scale: a loud source must not make the result clip."""
BLOCK_SAMPLES = 1 << 16
LARGEST_SEMITONES, SMALLEST_SEMITONES = 14.0, 0.5
"""Pitch is moved no further (a low man to a high woman), and by less it is not worth it."""


def at_level_of(
    source: LevelMeter,
    blocks: Iterable[np.ndarray],
    progress: Callable[[float], None] | None = None,
) -> Iterator[np.ndarray]:
    """`blocks` of 16 kHz speech (float32 [N] each) with the active-speech level of `source`.

    One gain for all of them, less where a sample would go beyond full scale. They are taken to
    their end (progress: called with the seconds so far) before the first comes out, and memory
    does not grow with their number.
    """
    meter, peak, samples = LevelMeter(), 0.0, 0
    with tempfile.TemporaryFile(prefix="vqspeech-") as spool:
        for block in blocks:
            meter.add(block)
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            spool.write(np.ascontiguousarray(block, np.float32))
            samples += len(block)
            if progress is not None:
                progress(samples / SAMPLE_RATE)
        gain = np.float32(min(_gain(source, meter), PEAK / max(peak, 1e-9)))
        spool.seek(0)
        while data := spool.read(BLOCK_SAMPLES * 4):
            yield np.frombuffer(data, np.float32) * gain


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

    blocks: at 16 kHz. pitch: as in `Codec.convert`. target: F0 in Hz, 0 if not known. sets_f0:
    whether `Move.f0` is of use; without, the pitch is looked for only where the step depends on
    it. Raises InputError.
    """
    named = isinstance(pitch, str)
    if not (pitch in ("target", "keep") if named else abs(pitch) <= LARGEST_SEMITONES):
        raise InputError(
            f"pitch {pitch!r} must be target, keep, or semitones within +-{LARGEST_SEMITONES:g}"
        )
    step = 0.0 if named else float(pitch)
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


def missing(codec: "Codec", codes: Codes, speaker, move: Move) -> float:
    """Semitones between the median F0 that `move` wants and what the codes have as `speaker`.

    0 for a model that does not predict pitch: there the codes' own is all there is.
    """
    predicted = codec.predicted_f0(codes, speaker)
    if not move.f0 or not np.isfinite(predicted):
        return 0.0
    step = 12 * np.log2(move.f0 / predicted)
    return float(np.clip(step, -LARGEST_SEMITONES, LARGEST_SEMITONES))


def encode_for(
    codec: "Codec", wave: np.ndarray, speaker, pitch: str | float, emphasis: float = EMPHASIS
) -> tuple[Codes, Change]:
    """What `wave` (float32 [T] at 16 kHz) is to become as `speaker`: its codes, and what decoding
    is to change. pitch and emphasis: as in `Codec.convert`. Raises InputError.
    """
    check_emphasis(emphasis)
    move = planned([wave], pitch, codec.speaker_f0(speaker), codec.predicts_pitch)
    codes = codec.encode_blocks(transposed_blocks([wave], move.step), level_gain(wave))
    return codes, Change(missing(codec, codes, speaker, move), emphasis)


def convert(
    codec: "Codec",
    wave: np.ndarray,
    rate: int,
    speaker,
    pitch: str | float,
    emphasis: float,
    **options,
) -> np.ndarray:
    """`Codec.convert`: see there."""
    wave = np.concatenate(list(audio.resample_blocks([wave], rate)))
    level = LevelMeter()
    level.add(wave)
    codes, change = encode_for(codec, wave, speaker, pitch, emphasis)
    blocks = codec.decode_blocks(codes, speaker, change=change, **options)
    return np.concatenate(list(at_level_of(level, blocks)))


def convert_file(
    codec: "Codec",
    source: str | os.PathLike,
    path: str | os.PathLike,
    speaker,
    pitch: str | float,
    emphasis: float,
    progress: Callable[[float], None] | None = None,
    **options,
) -> int:
    """`Codec.convert_file`: see there."""
    check_emphasis(emphasis)
    level = audio.measure_level(source)
    heard, target = audio.read_blocks(source, quiet=True), codec.speaker_f0(speaker)
    move = planned(heard, pitch, target, codec.predicts_pitch)
    moved = transposed_blocks(audio.read_blocks(source), move.step)
    codes = codec.encode_blocks(moved, level.gain())
    options["change"] = Change(missing(codec, codes, speaker, move), emphasis)
    with audio.Writer(path) as file:
        for block in at_level_of(level, codec.decode_blocks(codes, speaker, **options), progress):
            file.add(block)
    return file.samples
