"""WaveNets small enough to test in no time, and what the samplers are given for them."""

import numpy as np
import torch
from torch import Tensor

from vqspeech.audio.signal import mu_law_table
from vqspeech.config.networks import DecoderConfig
from vqspeech.nn.decoder import SPAN, WaveNetDecoder, mu_law
from vqspeech.nn.excitation import PhaseWalk
from vqspeech.nn.long_term import FRACTIONS, REACH
from vqspeech.sampling.stream import Frames
from vqspeech.sampling.work import Work

HIDDEN, STEPS = 12, 40
"""Channels of a hidden frame, and its steps: 10 ms of four bands, so that F0 frames are as long."""
KINDS = {
    "full band": {"bands": 1},
    "four bands": {"bands": 4},
    "excited": {"bands": 4, "harmonics": 3},
    "scaled": {"bands": 1, "scaled": True},
    "residual": {"bands": 4, "scaled": True, "prediction": 5},
    "periodic": {"bands": 4, "scaled": True, "prediction": 5, "long_term": 0.8},
}
MELS = 80
F0 = torch.tensor([[120.0, 150.0, 0.0, 0.0, 230.0, 180.0]])


def decoder_of(bands, width=10, channels=14, layers=5, cycle=3, **parts) -> WaveNetDecoder:
    """Random weights far from nothing, so that a wrong one makes a wrong sample.

    parts: what else it has of a `DecoderConfig`.
    """
    torch.manual_seed(3)
    config = DecoderConfig(
        bands=bands,
        **parts,
        residual_channels=width,
        skip_channels=channels,
        layers=layers,
        cycle=cycle,
    )
    decoder = WaveNetDecoder(config, HIDDEN, MELS).eval()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(2.0)
        loud = 20 if decoder.prediction is not None else 1  # over a deviation, or a full scale
        decoder.scale.copy_(loud * torch.linspace(0.5, 0.8, bands))
    return decoder


def frames_of(hidden: Tensor, f0: Tensor | None = None) -> Frames:
    """Hidden frames [1, H, F] with the last F0 frames, and a log-mel that rises and falls."""
    count = hidden.shape[-1]
    f0 = F0[:, -count:] if f0 is None else f0
    bands, times = torch.arange(float(MELS)), torch.arange(float(count))
    log_mel = (bands[:, None] / 9 + 2 * times).sin() - 3 - bands[:, None] / 40
    return Frames(hidden, f0.to(hidden.device), log_mel[None].to(hidden.device))


def excitation_of(decoder: WaveNetDecoder, f0: Tensor = F0) -> Tensor | None:
    """Of F0 frames [1, n], for a decoder with harmonics: [1, n * STEPS, 2 harmonics]."""
    return PhaseWalk(decoder.bands, decoder.harmonics)(f0) if decoder.harmonics else None


@torch.no_grad()
def inputs_of(decoder: WaveNetDecoder, f0: Tensor = F0) -> np.ndarray:
    """What F0 frames [1, n] add to the stack's input: [n * STEPS, R] float32."""
    if decoder.excitation is None:
        return np.zeros((f0.shape[1] * STEPS, decoder.stack.residual_channels), np.float32)
    return decoder.excitation(excitation_of(decoder, f0).to(decoder.scale.device))[0].cpu().numpy()


@torch.no_grad()
def work_of(decoder: WaveNetDecoder, state, hidden: Tensor, temperature=1.0, seed=5) -> Work:
    """What a stream is to do for hidden frames [1, H, F], with the last F0 frames."""
    frames, told = hidden.shape[-1], frames_of(hidden)
    predictor = decoder.predictor(told.log_mel, told.f0)
    return Work(
        state,
        decoder.conditioning(hidden)[0].cpu().numpy(),
        inputs_of(decoder, F0[:, -frames:]),
        *(part[0].cpu().numpy() for part in predictor),
        np.full((1, decoder.bands), temperature, np.float32),
        np.random.default_rng(seed).random((frames * STEPS, decoder.bands), dtype=np.float32),
    )


def known_of(decoder: WaveNetDecoder, work: Work, samples: Tensor) -> Tensor | None:
    """What is known before each of the draws [1, N, bands], for `WaveNetDecoder.forward`; by
    another road than the samplers': the whole signal first."""
    if decoder.prediction is None:
        return None
    steps, bands = samples.shape[1:]
    coefficients, scale = (
        np.repeat(part.astype(np.float64), steps // len(part), 0)
        for part in (work.coefficients, work.full_scale)
    )
    drawn = mu_law_table()[samples[0]] * scale
    order = coefficients.shape[-1]
    lags = np.repeat(work.lags / FRACTIONS, steps // len(work.lags))
    x, predicted = np.zeros((steps + max(1, order), bands)), np.zeros((steps, bands))
    start, left = len(x) - steps, np.zeros(steps)
    for n in range(steps):
        past = x[n + start - order : n + start][::-1]
        short = (coefficients[n] * past.T).sum(-1)
        predicted[n] = short
        if lags[n]:
            near = np.arange(n) - (n - lags[n])
            window = np.cos(np.pi * near / (2 * REACH)) ** 2 * (abs(near) < REACH)
            echo = (np.sinc(near) * window * left[:n]).sum()
            predicted[n, 0] += decoder.long_term.gain * scale[n, 0] * echo
        x[n + start] = np.float32(np.clip(predicted[n] + drawn[n], -1, 1))
        left[n] = (x[n + start, 0] - short[0]) / scale[n, 0]
    known = [torch.from_numpy(part / (SPAN * scale)) for part in (predicted, x[start - 1 : -1])]
    return torch.cat([mu_law(part) for part in known], -1)[None]
