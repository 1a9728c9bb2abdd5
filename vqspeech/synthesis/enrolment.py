"""A new voice: a speaker vector fitted to some speech of it, everything else of the model frozen.

The vector minimises what training minimises: the L1 of the auxiliary log-mel and, where the model
has a trained WaveNet, -log p(x | codes, speaker). It starts from what the model's speaker encoder
hears, or from the trained speakers that explain the speech best. Every fifth piece of the speech is
kept out of the fit and tells how well it went; then the fit goes on with all of them.
"""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from vqspeech.audio.pitch import median_f0
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.checkpoint.voices import Voice, check_name
from vqspeech.data.condition import conditioned
from vqspeech.errors import InputError, warn_of
from vqspeech.files import identity
from vqspeech.nn.surroundings import in_own_surroundings
from vqspeech.synthesis.encoding import RecordingEncoder
from vqspeech.synthesis.fitting import Pieces, descend, hidden, mel_and_pitch, pieces_of
from vqspeech.synthesis.hidden import PITCH_SECONDS
from vqspeech.synthesis.levelling import levelled
from vqspeech.synthesis.listening import VOICE_SECONDS, Listener
from vqspeech.synthesis.loaded import LoadedModel

PIECE_SECONDS = 2.0
MIN_SECONDS, MAX_SECONDS = 8.0, 600.0
"""Of speech, pauses at the ends trimmed; what comes after the longest is not used."""
HELD_OUT_EVERY = 5
RANKING_PIECES = 10
"""Pieces on which the trained speakers are compared."""
STARTS = (1, 3, 8)
"""The fit starts from the mean of so many of the nearest speakers, or from what the speaker encoder
hears, whichever is best."""
MEL_STEPS, MEL_BATCH, MEL_RATE = 200, 8, 0.02
NATS_STEPS, NATS_BATCH, NATS_RATE = 30, 2, 0.005
"""Steps, pieces a step and Adam's first learning rate: with the log-mel alone, then with both."""
AGAIN = 0.5
"""Of the steps and rates, when the fit goes on with the pieces that were kept out."""
NATS_SECONDS = 0.64
"""Of each piece that the WaveNet is run on."""
ROWS_AT_ONCE = 16
CHECK_PIECES = 6
"""Held-out pieces on which the WaveNet is measured."""


class HeldOut(NamedTuple):
    """Errors on the speech kept out of the fit, of the new voice and of the nearest trained one.

    mel: log-mel L1 in nats, NaN without an auxiliary head. nats: -log p a sample of audio, NaN
    without a trained WaveNet.
    """

    seconds: float
    nearest: str
    mel: float
    nearest_mel: float
    nats: float
    nearest_nats: float

    @property
    def better(self) -> bool:
        """Whether the new voice explains unheard speech better than every trained one."""
        if np.isfinite(self.mel):
            return self.mel < self.nearest_mel
        return self.nats < self.nearest_nats


@in_own_surroundings
def enroll(
    loaded: LoadedModel,
    name: str,
    files: Sequence[str | os.PathLike],
    seed: int = 0,
    progress: Callable[[float], object] | None = None,
) -> tuple[Voice, HeldOut]:
    """Fit a voice to the speech in `files`, all of one person; returns it and its check.

    Of several files, what is there but cannot be used is left out, with a warning that says why; so
    is a file that is given again, by whatever name, which would pass for more speech.
    progress: called with the share done, 0 to 1. Raises InputError: no readable speech, too little
    of it, a model without what the fit needs.
    """
    name = check_name(name)
    if not loaded.predicts_mel and not loaded.has_wavenet:
        raise InputError(f"model {loaded.config.name} is not trained: train it, then enrol voices")
    speech = _read(files)
    fit = _Fit(loaded, speech, seed, progress or (lambda share: None))
    vector = fit.run()
    held = fit.check(vector)
    vector = fit.go_on(vector)
    f0 = median_f0(speech[: round(PITCH_SECONDS * SAMPLE_RATE)])
    known = f0 if np.isfinite(f0) else 0.0
    return Voice(name, vector.numpy(), loaded.fingerprint, fit.seconds, known), held


def _read(files: Sequence[str | os.PathLike]) -> np.ndarray:
    """The speech of all files, one after the other, as training has it: float32 [T].

    Raises InputError.
    """
    files = _once(files)
    waves, left = [], round(MAX_SECONDS * SAMPLE_RATE)
    for file in files:
        if not left:
            break
        try:
            wave = conditioned(file)[:left].astype(np.float32) / 32768
        except InputError as error:
            if len(files) == 1 or not os.path.exists(file):
                raise
            warn_of(f"left out {error}")
            continue
        left -= len(wave)
        waves.append(wave)
    if not waves:
        raise InputError(f"none of {len(files)} recordings can be used; give others")
    speech = np.concatenate(waves)
    seconds = len(speech) / SAMPLE_RATE
    if seconds < MIN_SECONDS:
        raise InputError(
            f"{seconds:.1f} s of speech is too little for a voice: give at least "
            f"{MIN_SECONDS:g} s, better 30 s or more, in one file or several"
        )
    return speech


def _once(files: Sequence[str | os.PathLike]) -> list[str | os.PathLike]:
    """`files`, each by the first of its names; warns of the others."""
    found, again, seen = [], [], set()
    for file in files:
        place = identity(file)
        (again if place in seen else found).append(file)
        if place is not None:  # what is not there is refused when it is read
            seen.add(place)
    if again:
        more = f" (and {len(again) - 1} more)" if len(again) > 1 else ""
        warn_of(f"left out {again[0]}{more}: it is given twice, and heard once")
    return found


def cut(speech: np.ndarray, hop: int) -> np.ndarray:
    """Equal pieces [P, N] of `speech` [T], N a multiple of `hop`; what is left over is not used."""
    size = round(PIECE_SECONDS * SAMPLE_RATE / hop) * hop
    return speech[: len(speech) // size * size].reshape(-1, size)


def nearest_speakers(encoder: RecordingEncoder, wave: np.ndarray) -> list[str]:
    """The trained speakers by how well they explain `wave` (float32 [T] at 16 kHz), best first.

    Those with the least log-mel error; in the model's order where it has no auxiliary head.
    """
    loaded, model = encoder.loaded, encoder.loaded.model
    names = [speaker.name for speaker in loaded.about.speakers]
    if not loaded.predicts_mel:
        return names
    codes, wave = encoder.wave(wave), levelled(wave)
    wave = np.pad(wave, (0, codes.frames * codes.hop - len(wave)))
    indices = torch.from_numpy(codes.indices.astype(np.int64))[None].to(loaded.device)
    with torch.inference_mode():
        truth = model.target_mel(torch.from_numpy(wave)[None].to(loaded.device))
        z_q = model.quantizer.lookup(indices)
        errors = []
        for rows in model.speakers.weight.split(ROWS_AT_ONCE):
            hidden = model.conditioning(z_q.expand(len(rows), -1, -1), rows)
            error = model.conditioning.log_mel(hidden) - truth
            errors += error.abs().mean((1, 2)).tolist()
    return [names[row] for row in np.argsort(errors, kind="stable")]


class _Fit:
    """Pieces of speech, their codes, and the vector that is fitted to them."""

    def __init__(self, loaded: LoadedModel, speech: np.ndarray, seed: int, progress):
        self.loaded, self.model, self.config = loaded, loaded.model, loaded.config
        self.has_mel, self.has_nats = loaded.predicts_mel, loaded.has_wavenet
        self.random, self.progress = np.random.default_rng(seed), progress
        pieces = cut(speech, self.config.hop)
        held = [i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1 for i in range(len(pieces))]
        held[-1] = held[-1] or not any(held)
        held = torch.tensor(held, device=loaded.device)
        whole = pieces_of(loaded, pieces)
        self.fitted, self.held = whole.of(~held), whole.of(held)
        self.seconds = self.fitted.wave.numel() / SAMPLE_RATE

    def _mel_and_pitch(self, part: Pieces, vector: torch.Tensor) -> torch.Tensor:
        return mel_and_pitch(self.loaded, part, vector)

    def _nats(self, part: Pieces, vector: torch.Tensor) -> torch.Tensor:
        frames = min(part.codes.shape[-1], round(NATS_SECONDS * SAMPLE_RATE / self.config.hop))
        first = (part.codes.shape[-1] - frames) // 2  # the middle, with real context around it
        window = (first, first + frames)
        told = hidden(self.loaded, part, vector)
        return self.model.nats(part.wave, told, window, part.f0, part.log_mel, at_16_bits=True)

    @torch.no_grad()
    def _nearest(self) -> list[int]:
        """Rows of the trained speakers, the one that explains the speech best first."""
        part = self.fitted.of(slice(RANKING_PIECES if self.has_mel else NATS_BATCH))
        error = self._mel_and_pitch if self.has_mel else self._nats
        rows = self.model.speakers.weight
        errors = []
        for row in range(len(rows)):
            errors.append(float(error(part, rows[row][None])))
            self.progress(0.3 * (row + 1) / len(rows))
        self.errors = errors
        return sorted(range(len(rows)), key=errors.__getitem__)

    def run(self) -> torch.Tensor:
        """The vector [S] fitted to all but the held-out pieces."""
        order = self._nearest()
        self.nearest = order[0]
        rows = self.model.speakers.weight.detach()
        starts = [rows[order[:count]].mean(0, keepdim=True) for count in STARTS]
        if self.loaded.hears_voices:
            starts.insert(0, self._heard())
        vector = starts[0]
        if self.has_mel:
            part = self.fitted.of(slice(RANKING_PIECES))
            with torch.no_grad():
                vector = min(starts, key=lambda v: float(self._mel_and_pitch(part, v)))
        return self._fit(vector, 1.0, (0.3, 0.75))

    def _heard(self) -> torch.Tensor:
        """The vector [1, S] that the speaker encoder gives the pieces that are fitted."""
        listener = Listener(self.loaded, VOICE_SECONDS)
        for piece in self.fitted.wave.cpu().numpy():
            listener.add(piece)
        return torch.from_numpy(listener.vector())[None].to(self.loaded.device)

    def go_on(self, vector: torch.Tensor) -> torch.Tensor:
        """`vector` [S] of `run` fitted to every piece, held out or not."""
        self.fitted = self.fitted.and_also(self.held)
        self.seconds = self.fitted.wave.numel() / SAMPLE_RATE
        return self._fit(vector[None].to(self.loaded.device), AGAIN, (0.75, 1.0))

    def _fit(self, vector, scale: float, shares: tuple[float, float]) -> torch.Tensor:
        """`vector` [1, S] fitted with `scale` times the steps and the rates: [S] on the CPU."""
        middle = shares[1]
        if self.has_nats:
            middle = (shares[0] + shares[1]) / 2 if self.has_mel else shares[0]
        if self.has_mel:
            steps, rate = round(scale * MEL_STEPS), scale * MEL_RATE
            span = (shares[0], middle)
            vector = self._descend(vector, self._mel_and_pitch, steps, MEL_BATCH, rate, span)
        if self.has_nats:
            steps, rate = round(scale * NATS_STEPS), scale * NATS_RATE
            span = (middle, shares[1])
            vector = self._descend(vector, self._all_terms, steps, NATS_BATCH, rate, span)
        return vector[0].cpu()

    def _all_terms(self, part, vector: torch.Tensor) -> torch.Tensor:
        loss = self._nats(part, vector)
        if weight := self.config.training.log_mel_weight * self.has_mel:
            loss = loss + weight * self._mel_and_pitch(part, vector)
        return loss

    def _descend(self, vector, error, steps, batch, rate, shares) -> torch.Tensor:
        """`fitting.descend` over random pieces."""
        count = len(self.fitted.wave)

        def drawn(moved: torch.Tensor) -> torch.Tensor:
            chosen = self.random.choice(count, min(batch, count), replace=False)
            return error(self.fitted.of(torch.from_numpy(chosen).to(moved.device)), moved)

        def told(step: int) -> None:
            self.progress(shares[0] + (shares[1] - shares[0]) * step / steps)

        return descend(vector, drawn, steps, rate, told)

    @torch.no_grad()
    def check(self, vector: torch.Tensor) -> HeldOut:
        """The vector against the nearest trained speaker on the pieces kept out of the fit."""
        rows = self.model.speakers.weight
        voices = (vector[None].to(rows), rows[self.nearest][None])
        mel = nats = (float("nan"), float("nan"))
        if self.has_mel:
            held = self.held._replace(f0=None)
            mel = [float(self._mel_and_pitch(held, voice)) for voice in voices]
        if self.has_nats:
            part = self.held.of(slice(CHECK_PIECES))
            nats = [float(self._nats(part, voice)) for voice in voices]
        seconds = self.held.wave.numel() / SAMPLE_RATE
        return HeldOut(seconds, self.loaded.about.speakers[self.nearest].name, *mel, *nats)
