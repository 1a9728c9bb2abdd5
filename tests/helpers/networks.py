"""WaveNets small enough to test in no time, and what the samplers are given for them."""

import numpy as np
import torch
from torch import Tensor

from vqspeech.config.networks import DecoderConfig
from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.nn.excitation import PhaseWalk
from vqspeech.sampling.work import Work

HIDDEN, STEPS = 12, 40
"""Channels of a hidden frame, and its steps: 10 ms of four bands, so that F0 frames are as long."""
KINDS = {"full band": (1, 0), "four bands": (4, 0), "excited": (4, 3)}
"""Bands and harmonics."""
F0 = torch.tensor([[120.0, 150.0, 0.0, 0.0, 230.0, 180.0]])


def decoder_of(bands, harmonics=0, width=10, channels=14, layers=5, cycle=3) -> WaveNetDecoder:
    """Random weights far from nothing, so that a wrong one makes a wrong sample."""
    torch.manual_seed(3)
    config = DecoderConfig(
        bands=bands,
        harmonics=harmonics,
        residual_channels=width,
        skip_channels=channels,
        layers=layers,
        cycle=cycle,
    )
    decoder = WaveNetDecoder(config, HIDDEN).eval()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(2.0)
    return decoder


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
    frames = hidden.shape[-1]
    return Work(
        state,
        decoder.conditioning(hidden)[0].cpu().numpy(),
        inputs_of(decoder, F0[:, -frames:]),
        np.random.default_rng(seed).random((frames * STEPS, decoder.bands), dtype=np.float32),
        temperature,
    )
