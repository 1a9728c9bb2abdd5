"""The WaveNet decoder: autoregressive 8-bit mu-law samples in each sub-band.

One step emits one sample in every band; within a step the bands are independent given the past.
With one band this is the paper's full-band decoder. What it draws is the band's sample itself or,
with a linear prediction (`nn.prediction`), what that leaves of it, over the deviation that it is
predicted to have.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.signal import MU, MU_LEVELS, MU_ZERO, mu_law_table
from vqspeech.config.networks import DecoderConfig
from vqspeech.nn.long_term import LongTermPrediction
from vqspeech.nn.prediction import BandPrediction, Predictor, predicted_of
from vqspeech.nn.subbands import FilterBank
from vqspeech.nn.wavenet import GatedStack

HEADROOM = 2.0
"""Full scale of a band over the 99.9th percentile of its magnitudes in training speech."""
MOST_DEVIATIONS = 1e6
"""Full scale of a residual, at most: any, but in silence."""
SPAN = 4.0
"""Full scale of the samples that are known before a residual, over the residual's."""


class Truth(NamedTuple):
    """What a decoder is to say of a waveform, as mu-law indices.

    indices [B, N, bands]: what it draws. known [B, N, 2 bands], of one that draws residuals: each
    band's prediction and last sample, which it knows before a step. full_scale [B, N, bands]: of
    what it draws.
    """

    indices: Tensor
    known: Tensor | None
    full_scale: Tensor


def mu_law(x: Tensor) -> Tensor:
    """Samples, full scale 1, to their mu-law indices, int64."""
    x = x.clamp(-1, 1)
    compressed = x.sign() * torch.log1p(MU * x.abs()) / math.log1p(MU)
    steps = torch.where(x < 0, MU_ZERO, MU_LEVELS - 1 - MU_ZERO)
    return (MU_ZERO + torch.round(compressed * steps)).long()


def _by_step(bands: Tensor) -> Tensor:
    """[B, bands, N] to [B, N, bands]."""
    return bands.transpose(1, 2)


def _each_step(predictor: Predictor, steps: int) -> Tensor:
    """The full scale of each of N steps: [B, bands, N]."""
    full_scale = predictor.full_scale.transpose(1, 2)
    return full_scale.repeat_interleave(steps // full_scale.shape[-1], -1)


def smooth_rows(bands: int, levels: int, width: int) -> Tensor:
    """An embedding [bands, levels, width] to start from, in which neighbours are neighbours.

    Each column is a random line and curve of the level's value, and a little noise.
    """
    table = torch.tensor(mu_law_table())
    compressed = (torch.arange(levels) - MU_ZERO) / MU_ZERO
    line = compressed[:, None] * torch.randn(bands, 1, width)
    curve = table[:, None] * torch.randn(bands, 1, width)
    return line + curve + 0.1 * torch.randn(bands, levels, width)


class WaveNetDecoder(nn.Module):
    """Hidden frames [B, H, F] and past samples to the distribution of the next ones."""

    scale: Tensor
    table: Tensor

    def __init__(self, config: DecoderConfig, hidden_channels: int, mels: int = 80):
        super().__init__()
        self.bands = config.bands
        self.bank = FilterBank(config.bands)
        self.register_buffer("scale", torch.ones(config.bands))
        table = torch.tensor(mu_law_table(), device="cpu")  # values, on the meta device too
        self.register_buffer("table", table, persistent=False)
        width, skip = config.residual_channels, config.skip_channels
        self.order, self.prediction, self.long_term = config.prediction, None, None
        if config.scaled:
            self.prediction = BandPrediction(config.bands, mels, config.prediction)
        if config.long_term:
            self.long_term = LongTermPrediction(config.bands, config.long_term)
        rows = torch.empty(config.input_rows, MU_LEVELS, width)
        self.embedding = nn.Parameter(rows if rows.is_meta else smooth_rows(*rows.shape))
        self.voiced_temperatures = config.voiced_temperatures
        self.conditioning_gain = config.conditioning_gain
        self.harmonics = config.harmonics
        self.excitation = (
            nn.Linear(2 * config.harmonics, width, bias=False) if config.harmonics else None
        )
        self.stack = GatedStack(width, skip, config.dilations)
        self.condition = nn.Linear(hidden_channels, len(config.dilations) * 2 * width)
        self.hidden = nn.Linear(skip, skip)
        self.output = nn.Linear(skip, config.bands * MU_LEVELS)

    def truth(self, wave: Tensor, log_mel: Tensor | None = None, f0: Tensor | None = None) -> Truth:
        """What is to be said of a waveform [B, T] in its N = ceil(T / bands) steps.

        log_mel: [B, mels, T / 160], predicted of it, for a decoder that draws residuals. f0: [B, T
        / 160], its own, for one with a long-term prediction.
        """
        with torch.autocast(wave.device.type, enabled=False):  # the target: 8 bits must be exact
            bands = self.bank.split(wave.float())
            if self.prediction is None:
                scale = self.scale[:, None].expand_as(bands)
                return Truth(_by_step(mu_law(bands / scale)), None, _by_step(scale))
            predictor = self.predictor(log_mel, f0)
            predicted = self._predicted(bands, predictor)
            scale = _each_step(predictor, bands.shape[-1])
            last = F.pad(bands[..., :-1], (1, 0))
            known = [_by_step(mu_law(x / (SPAN * scale))) for x in (predicted, last)]
            drawn = mu_law((bands - predicted) / scale)
        return Truth(_by_step(drawn), torch.cat(known, -1), _by_step(scale))

    def predictor(self, log_mel: Tensor | None, f0: Tensor | None = None) -> Predictor:
        """How each band is predicted in each frame of 10 ms, from the log-mel [B, mels, n] and the
        F0 [B, n] in Hz.

        A decoder that draws samples predicts nothing: one frame, of order 0, stands for all.
        """
        if self.prediction is None:
            none = torch.zeros(1, 1, dtype=torch.long, device=self.scale.device)
            return Predictor(
                self.scale.new_zeros(1, 1, self.bands, 0), self.scale[None, None], none
            )
        found = self._foretold(log_mel, f0)
        return found._replace(full_scale=found.full_scale * self.scale)

    def _foretold(self, log_mel: Tensor | None, f0: Tensor | None) -> Predictor:
        """`predictor`, its full scale in units of `scale`."""
        assert self.prediction is not None
        assert log_mel is not None, "a decoder that draws residuals follows a log-mel"
        found = self.prediction(log_mel)
        if self.long_term is None:
            return found
        assert f0 is not None, "a long-term prediction follows an F0"
        lags, full_scale = self.long_term.lags(f0), found.full_scale.clone()
        lowest = full_scale[..., 0]  # which is of float32, as two plain numbers need not be
        full_scale[..., 0] = torch.where(lags > 0, self.long_term.left * lowest, lowest)
        return found._replace(full_scale=full_scale, lags=lags)

    def _predicted(self, bands: Tensor, predictor: Predictor) -> Tensor:
        """The prediction of each sample of `bands` [B, bands, N] from its past."""
        found = predicted_of(bands, predictor.coefficients)
        if self.long_term is not None:
            scale = _each_step(predictor, bands.shape[-1])[:, 0]
            residual = (bands[:, 0] - found[:, 0]) / scale
            found[:, 0] += scale * self.long_term(residual, predictor.lags)
        return found

    @torch.no_grad()
    def fit_scale(self, wave: Tensor, log_mel: Tensor, f0: Tensor | None = None) -> None:
        """Full scale of each band from training waveforms [B, T], their log-mel [B, mels, T / 160]
        and, for a long-term prediction, F0 [B, T / 160]: quiet bands get finer steps.

        Of a residual it is in units of the deviation that it is predicted to have.
        """
        drawn, most = self.bank.split(wave), 1.0
        if self.prediction is not None:
            found, most = self._foretold(log_mel, f0), MOST_DEVIATIONS
            drawn = drawn - self._predicted(drawn, found)
            drawn = drawn / _each_step(found, drawn.shape[-1])
        magnitude = drawn.abs().transpose(0, 1).reshape(self.bands, -1)
        loud = magnitude.kthvalue(int(0.999 * (magnitude.shape[1] - 1)) + 1, dim=1).values
        self.scale.copy_((loud * HEADROOM).clamp(1e-3, most))

    def conditioning(self, hidden: Tensor) -> Tensor:
        """Hidden frames [B, H, F] to the gates' biases [B, F, L, 2R]."""
        batch, _, frames = hidden.shape
        projected = self.condition(hidden.transpose(1, 2))
        return projected.view(batch, frames, len(self.stack.dilations), -1)

    def embed(self, heard: Tensor) -> Tensor:
        """What is heard before a step to the stack's input [B, N, R].

        heard: mu-law indices [B, N, bands] of what was drawn last, or [B, N, 3 bands] with what
        else is known (`Truth`). A sum over them.
        """
        tables = zip(heard.unbind(-1), self.embedding, strict=True)
        return sum((F.embedding(*one) for one in tables), self.embedding.new_zeros(()))

    def logits(self, skip: Tensor) -> Tensor:
        """Skip output [B, N, S] to logits [B, N, bands, 256]."""
        out = self.output(F.relu(self.hidden(skip)))
        return out.view(*out.shape[:-1], self.bands, MU_LEVELS)

    def forward(
        self,
        indices: Tensor,
        hidden: Tensor,
        first: int = 0,
        excitation: Tensor | None = None,
        known: Tensor | None = None,
    ) -> Tensor:
        """Teacher-forced logits.

        indices: [B, N, bands], of what is drawn in truth, N = F * hop / bands; step n sees those
        before n. hidden: [B, H, F]. excitation: [B, N, 2 harmonics] (`nn.excitation`) for a decoder
        that wants it. known: of `Truth`. Returns the logits from step `first` on, [B, N - first,
        bands, 256].
        """
        heard = F.pad(indices[:, :-1], (0, 0, 1, 0), value=MU_ZERO)
        if known is not None:
            heard = torch.cat([heard, known], -1)
        x = self.embed(heard)
        if self.excitation is not None:
            x = x + self.excitation(excitation)
        return self.logits(self.stack(x, self.conditioning(hidden), first))

    def nats(self, logits: Tensor, indices: Tensor) -> Tensor:
        """-log p of each step [B, N], summed over its bands, in nats."""
        batch, steps = indices.shape[:2]
        flat = F.cross_entropy(
            logits.reshape(-1, MU_LEVELS).float(), indices.reshape(-1), reduction="none"
        )
        return flat.view(batch, steps, self.bands).sum(-1)

    def log_widths(self, indices: Tensor, full_scale: Tensor) -> Tensor:
        """Log of how many values of 16 bits a drawn level stands for, summed over bands: [B, N].

        Added to `nats` it makes them those of a density, which decoders with other levels share.
        The first and the last level stand for all that lies beyond them, up to samples of 1.
        """
        table = self.table
        widths = torch.cat([table[:1], (table[1:] + table[:-1]) / 2, table[-1:]]).diff()
        found, beyond = widths[indices] * full_scale, (1 - full_scale).clamp_min(0)
        outer = (indices == 0) | (indices == MU_LEVELS - 1)
        return ((found + beyond * outer) * 2**15).log().sum(-1)
