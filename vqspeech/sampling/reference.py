"""The plain incremental sampler: one step after another in PyTorch, obviously right, slow.

It is what the fast backends are tested and measured against. Its step takes streams side by side,
so that it is also the GPU's (`sampling.cuda`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.audio.signal import MU_LEVELS, MU_ZERO
from vqspeech.nn.decoder import SPAN, WaveNetDecoder, mu_law
from vqspeech.nn.long_term import FRACTIONS, REACH
from vqspeech.sampling.work import Drawn, Work


class State(NamedTuple):
    """Where B streams stand; changed in place.

    rings [B, sum of dilations, R]: each layer's last inputs. steps [B]: how many are done.
    previous [B, bands]: the indices of what was drawn last. past [B, bands, order or 1]: the last
    samples, the last one first, float64. left [B, steps or 1]: what the short-term prediction
    left of those of the lowest band, over their full scale, the last one first, float64.
    """

    rings: Tensor
    steps: Tensor
    previous: Tensor
    past: Tensor
    left: Tensor


class Frame(NamedTuple):
    """What B streams are told of a step.

    conditioning [B, L, 2R]: of their hidden frames. inputs [B, R]: added to the stack's input.
    coefficients [B, bands, order], full_scale [B, bands] and lags [B]: of their predictors.
    temperatures and uniforms [B, bands].
    """

    conditioning: Tensor
    inputs: Tensor
    coefficients: Tensor
    full_scale: Tensor
    lags: Tensor
    temperatures: Tensor
    uniforms: Tensor


class Prediction(NamedTuple):
    """Of the next samples: by those before, short [B, bands], and by a period, long [B, bands];
    float64."""

    short: Tensor
    long: Tensor


def predicted(decoder: WaveNetDecoder, state: State, frame: Frame) -> tuple[Prediction, Tensor]:
    """The prediction of the next samples, and what the network hears before it draws, [B, rows]
    (`WaveNetDecoder.embed`)."""
    past = state.past[..., : decoder.order]
    short = (frame.coefficients.double() * past).sum(-1)
    found = Prediction(short, torch.zeros_like(short))
    if decoder.prediction is None:
        return found, state.previous
    if decoder.long_term is not None:
        heard = echo(decoder.long_term.weights, state.left, frame.lags)
        found.long[:, 0] = decoder.long_term.gain * heard * frame.full_scale[:, 0].double()
    top = SPAN * frame.full_scale.double()
    known = mu_law((short + found.long) / top), mu_law(state.past[..., 0] / top)
    return found, torch.cat([state.previous, *known], -1)


def echo(weights: Tensor, left: Tensor, lags: Tensor) -> Tensor:
    """What was left, [B, steps], a lag [B] before the next step: [B]; weights: of
    `LongTermPrediction`, whose `echoes` these are."""
    around = torch.arange(-REACH, REACH, device=lags.device)
    places = (lags[:, None].div(FRACTIONS, rounding_mode="floor") + around).clamp_min(0)
    return (left.gather(1, places) * weights[lags % FRACTIONS]).sum(-1) * (lags > 0)


def follow(
    decoder: WaveNetDecoder, state: State, drawn: Tensor, prediction: Prediction, frame: Frame
) -> Tensor:
    """Have the streams go on from what was drawn, indices [B, bands]; the samples [B, bands]."""
    said = decoder.table[drawn].double() * frame.full_scale.double()
    samples = (prediction.short + prediction.long + said).clamp(-1, 1).float()
    left = samples[:, :1].double() - prediction.short[:, :1]
    left = left / frame.full_scale[:, :1].double()
    state.left.copy_(torch.cat([left, state.left[:, :-1]], -1))
    state.past.copy_(torch.cat([samples[..., None].double(), state.past[..., :-1]], -1))
    state.previous.copy_(drawn)
    return samples


def step(decoder: WaveNetDecoder, state: State, heard: Tensor, frame: Frame) -> Tensor:
    """Logits [B, bands, 256] of what is drawn after `heard` (`predicted`); to be followed by
    `follow`."""
    stack, offset, outputs = decoder.stack, 0, []
    streams = torch.arange(len(state.steps), device=heard.device)
    x = decoder.embed(heard[:, None])[:, 0] + frame.inputs
    for layer, dilation in enumerate(stack.dilations):
        oldest = offset + state.steps % dilation
        offset += dilation
        past = state.rings[streams, oldest]
        state.rings[streams, oldest] = x
        h = stack.gates[layer](torch.cat([past, x], -1)) + frame.conditioning[:, layer]
        a, b = h.chunk(2, -1)
        z = torch.tanh(a) * torch.sigmoid(b)
        outputs.append(z)
        if layer < len(stack.residual):
            x = x + stack.residual[layer](z)
    state.steps.add_(1)
    return decoder.logits(F.relu(stack.skip(torch.cat(outputs, -1))))


def draw(logits: Tensor, uniforms: Tensor, temperatures: Tensor) -> Tensor:
    """Indices [B, bands] from logits [B, bands, 256] by inverse CDF at uniforms [B, bands].

    temperatures: [B, bands]; 0 takes the most likely one.
    """
    heat = temperatures[..., None].clamp_min(1e-6)
    total = torch.softmax(logits / heat, -1).cumsum(-1)
    drawn = (total < uniforms[..., None] * total[..., -1:]).sum(-1).clamp_max(MU_LEVELS - 1)
    return torch.where(temperatures == 0, logits.argmax(-1), drawn)


class ReferenceBackend:
    """A decoder where it is, one stream after another."""

    def __init__(self, decoder: WaveNetDecoder):
        self._decoder, self._device = decoder, decoder.embedding.device

    def new_state(self) -> State:
        """A stream that has seen nothing, B = 1."""
        decoder, device = self._decoder, self._device
        stack, zeros = decoder.stack, decoder.embedding.new_zeros
        return State(
            zeros(1, sum(stack.dilations), stack.residual_channels),
            torch.zeros(1, dtype=torch.long, device=device),
            torch.full((1, decoder.bands), MU_ZERO, device=device),
            zeros(1, decoder.bands, max(1, decoder.order), dtype=torch.float64),
            zeros(1, decoder.long_term.steps if decoder.long_term else 1, dtype=torch.float64),
        )

    def sample(self, work: Sequence[Work], threads: int) -> list[Drawn]:
        """As in `Backend`; PyTorch minds its own threads."""
        return [self._run(item)[0] for item in work]

    def logits(self, work: Work, samples: np.ndarray) -> np.ndarray:
        """As in `Backend`."""
        return self._run(work, torch.from_numpy(samples))[1]

    @torch.no_grad()
    def _run(self, work: Work, samples: Tensor | None = None) -> tuple[Drawn, np.ndarray]:
        """What is drawn if it is not given, indices [N, bands], and its logits [N, bands, 256]."""
        state, *arrays = work
        told = [torch.from_numpy(array).to(self._device) for array in arrays]
        steps = len(work.inputs)
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for n in range(steps):
            frame = Frame(*(part[n * len(part) // steps, None] for part in told))
            prediction, heard = predicted(self._decoder, state, frame)
            logits = step(self._decoder, state, heard, frame)
            if samples is None:
                drawn = draw(logits, frame.uniforms, frame.temperatures)
            else:
                drawn = samples[n, None].to(self._device, torch.long)
            made = follow(self._decoder, state, drawn, prediction, frame)
            found.append((drawn[0].to(torch.uint8), made[0], logits[0]))
        indices, bands, logits = (torch.stack(x).cpu().numpy() for x in zip(*found, strict=True))
        return Drawn(indices, bands), logits
