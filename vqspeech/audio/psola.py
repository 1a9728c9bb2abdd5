"""The pitch of a recording moved by semitones, its formants and its timing left where they are.

Pitch-synchronous overlap-add (Moulines and Charpentier 1990, "Pitch-synchronous waveform processing
techniques for text-to-speech synthesis using diphones"): a voice is cut into grains of two periods,
and these are put down again, closer or further apart. What has no pitch stays as it is, sample by
sample. A phase vocoder smears consonants over its window, and a recogniser then misses most words
(recipes/base/pitch.py).
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from vqspeech.audio.phase import measured_phase
from vqspeech.audio.pitch import f0_frames
from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE

SPACING = 80
"""Samples between the marks of what has no pitch."""
SHORTEST = 1024
"""Samples that are worth it; what is shorter has no pitch anybody could tell."""
PULSE = 17
"""Samples (1 ms) over which the power is summed that tells where in its period a voice closes."""
PLACES = 16
"""Of a period, at which it may close."""
PIECE_SECONDS, FADE_SECONDS = 20.0, 0.05


def transposed(wave: np.ndarray, semitones: float) -> np.ndarray:
    """`wave` (float32 [T] at 16 kHz) with its pitch moved: float32 [T]."""
    if semitones == 0 or len(wave) < SHORTEST:
        return wave
    ratio = 2 ** (semitones / 12)
    gain = np.float32(ratio**-0.5)  # as much power, from more or fewer grains
    marks, voices = _marks(wave)
    out, still = np.zeros(len(wave), np.float32), np.ones(len(marks))
    for start, end in voices:
        still[start : end + 1] = 0
        for number, place in _moved(marks, start, end, ratio):
            left, middle, right = marks[number - 1 : number + 2]
            grain = wave[left:right] * _window(middle - left, right - middle)
            _add(out, grain * gain, place - (middle - left))
    # What has no pitch: all of its grains in place, together the recording itself.
    share = np.interp(np.arange(len(wave)), marks, still)
    return out + (wave * _raised(share)).astype(np.float32)


def _raised(share: np.ndarray) -> np.ndarray:
    """0 to 1 as the first half of a Hann window goes."""
    return 0.5 - 0.5 * np.cos(np.pi * share)


def _window(rise: int, fall: int) -> np.ndarray:
    """The halves of two Hann windows, of `rise` and `fall` samples."""
    up, down = _raised(np.arange(rise) / rise), _raised(1 - np.arange(fall) / fall)
    return np.concatenate([up, down]).astype(np.float32)


def _add(out: np.ndarray, grain: np.ndarray, first: int) -> None:
    """Add `grain` to `out` from sample `first` on, as far as it lies inside."""
    left, right = max(first, 0), min(first + len(grain), len(out))
    if right > left:
        out[left:right] += grain[left - first : right - first]


def _moved(marks: np.ndarray, start: int, end: int, ratio: float) -> Iterator[tuple[int, int]]:
    """(mark whose grain it is, sample on which it is put) for a voice from mark to mark."""
    here, near = float(marks[start]), start
    while here <= marks[end]:
        while near < end and abs(marks[near + 1] - here) <= abs(marks[near] - here):
            near += 1
        yield near, round(here)
        after = min(near, end - 1)
        here += (marks[after + 1] - marks[after]) / ratio


def _marks(wave: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Samples on which grains of `wave` are centred, rising: int64 [N], the first 0 and the last T.

    And of each stretch of voice the numbers of its first and last mark, neither of them one of
    those two, and at least two apart.
    """
    f0 = f0_frames(wave)
    padded = np.pad(wave, (0, len(f0) * FILTER_BANK_HOP - len(wave))).astype(np.float32)
    phase = measured_phase(torch.from_numpy(padded)[None], torch.from_numpy(f0)[None], 1)
    cycles = phase[0].numpy().astype(np.float64) / (2 * np.pi)
    power = np.convolve(padded**2, np.hanning(PULSE), "same")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], f0 > 0, [0]])))
    marks, voices = [0], []
    for first, last in edges.reshape(-1, 2) * FILTER_BANK_HOP:
        own = _closures(
            cycles[first:last],
            power[first:last],
            f0[first // FILTER_BANK_HOP : last // FILTER_BANK_HOP],
        )
        own = own[(own + first > marks[-1]) & (own + first < len(wave))] + first
        if len(own) < 3:
            continue
        marks += _between(marks[-1], own[0])
        voices.append((len(marks), len(marks) + len(own) - 1))
        marks += own.tolist()
    marks += _between(marks[-1], len(wave))
    return np.array([*marks, len(wave)], np.int64), voices


def _between(first: int, last: int) -> list[int]:
    """Marks after `first` and before `last`, about SPACING apart."""
    count = max(1, round((last - first) / SPACING))
    inner = np.round(np.linspace(first, last, count + 1)[1:-1]).astype(int)
    return [int(mark) for mark in dict.fromkeys(inner) if first < mark < last]


def _closures(cycles: np.ndarray, power: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """Samples, one a period, on which a stretch of voice has most power: rising, from its first.

    cycles: its phase [N], power [N], F0 [N / 160].
    """
    # The phase is known but for whole turns: those next to what F0 says add up to a line.
    said = np.cumsum(np.repeat(f0, FILTER_BANK_HOP).astype(np.float64)) / SAMPLE_RATE
    off = np.unwrap(2 * np.pi * ((cycles - said) % 1.0)) / (2 * np.pi)
    line = np.maximum.accumulate(said + off)
    best, most = np.zeros(0, np.int64), -1.0
    for place in np.arange(PLACES) / PLACES:
        whole = np.floor(line - place)
        found = np.flatnonzero(np.diff(whole) > 0) + 1
        if len(found) and (mean := power[found].mean()) > most:
            best, most = found, mean
    return best


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
