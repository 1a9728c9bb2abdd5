"""The pitch of a recording moved by semitones, its formants left where they are.

A phase vocoder stretches time and resampling brings it back (librosa), which moves the formants
with the pitch; then the envelope of each spectrum, found in the cepstrum, is put back.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from vqspeech.dsp import SAMPLE_RATE

FFT, HOP = 1024, 256
LIFTER_SECONDS = 0.0020
"""Cepstrum below this quefrency is envelope: half of the shortest period of a voice of 250 Hz."""
LARGEST_CORRECTION = 30.0
"""Of an envelope, as a factor, so that noise in deep valleys is not raised without bound."""
PIECE_SECONDS, FADE_SECONDS = 20.0, 0.05


def transposed(wave: np.ndarray, semitones: float) -> np.ndarray:
    """`wave` (float32 [T] at 16 kHz) with its pitch moved: float32 [T]."""
    import librosa

    if semitones == 0 or len(wave) < FFT:
        return wave
    moved = librosa.effects.pitch_shift(
        wave, sr=SAMPLE_RATE, n_steps=semitones, n_fft=FFT, hop_length=HOP
    )
    before = librosa.stft(wave, n_fft=FFT, hop_length=HOP)
    after = librosa.stft(moved, n_fft=FFT, hop_length=HOP)
    gain = np.exp(_log_envelope(before) - _log_envelope(after))
    gain = np.clip(gain, 1 / LARGEST_CORRECTION, LARGEST_CORRECTION)
    return librosa.istft(after * gain, hop_length=HOP, n_fft=FFT, length=len(wave))


def _log_envelope(spectrum: np.ndarray) -> np.ndarray:
    """Natural log of the smooth envelope of a spectrum [FFT // 2 + 1, n]."""
    log = np.log(np.abs(spectrum) + 1e-5)
    cepstrum = np.fft.irfft(log, axis=0)
    keep = round(LIFTER_SECONDS * SAMPLE_RATE)
    cepstrum[keep + 1 : -keep] = 0
    return np.fft.rfft(cepstrum, axis=0).real.astype(np.float32)


def transposed_blocks(blocks: Iterable[np.ndarray], semitones: float) -> Iterator[np.ndarray]:
    """`transposed` of one long recording, block by block, in memory that its length does not move.

    Pieces fade into one another; all blocks together are as long as what came in.
    """
    size, fade = (round(s * SAMPLE_RATE) for s in (PIECE_SECONDS, FADE_SECONDS))
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    held, tail = np.zeros(0, np.float32), None

    def faded(piece: np.ndarray) -> np.ndarray:
        moved = transposed(piece, semitones)
        if tail is not None:
            moved[:fade] = moved[:fade] * ramp + tail * ramp[::-1]
        return moved

    if semitones == 0:
        yield from blocks
        return
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= 2 * size:
            moved = faded(held[:size])
            tail = moved[size - fade :].copy()
            yield moved[: size - fade]
            held = held[size - fade :]
    if len(held):
        yield faded(held)
