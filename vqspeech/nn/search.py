"""Analysis by synthesis: codes that decode nearest to a recording (Schroeder and Atal 1985,
"Code-excited linear prediction").

The nearest code to what the encoder says of a frame is not the best one: many are nearly as near,
and the conditioning net hears each of them together with its neighbours. So of every frame the
nearest few are tried, beside what its neighbours have by then, and that one is kept with which the
log-mel around it is predicted best.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.nn.vqvae import VQVAE

CANDIDATES = 6
"""Codes that are tried for a frame: the nearest."""
APART, REACH = 4, 2
"""Frames between two that are tried at once; frames to either side of one whose errors it answers
for."""
CEPSTRA = 1.0
"""What cepstra count for beside the log-mel: words are in them."""
DISTANCE = 0.03
"""What a squared distance from z_e counts for: codes were taught more than a log-mel says."""


class _Candidates(NamedTuple):
    """The codes that may be a frame's, the nearest first: indices [F, K], and what it costs to take
    them [F, K]."""

    indices: Tensor
    cost: Tensor


class _Aim(NamedTuple):
    """Whose voice it is [1, S], and what its codes are to say: log_mel [1, mels, n], f0 [1, n]."""

    vector: Tensor
    log_mel: Tensor
    f0: Tensor | None


class CodeSearch:
    """Searches the codes of recordings with one model, which must predict a log-mel."""

    def __init__(self, model: VQVAE):
        self._model = model
        self.context_frames = model.encoder.context_frames + model.conditioning.context_frames
        """Frames to either side of a frame that its code may depend on, but for what it depends on
        through its neighbours' codes."""

    def __call__(self, wave: Tensor, vector: Tensor, f0: Tensor | None = None) -> Tensor:
        """The codes of the first level, int64 [F], of wave [1, F * hop] in the voice of vector [1,
        S]: its own, for the log-mel is to be the recording's. f0: its own, [1, F * hop / 160] in
        Hz, for a model that predicts one."""
        aim = _Aim(vector, self._model.target_mel(wave), f0)
        found = self._candidates(self._model.encoder(wave))
        indices = found.indices[:, 0].clone()
        for first in range(min(APART, len(indices))):
            at = torch.arange(first, len(indices), APART, device=indices.device)
            indices[at] = self._best(indices, found, at, aim)
        return indices

    def _candidates(self, z_e: Tensor) -> _Candidates:
        distances, indices = self._model.quantizer.nearest_few(z_e, CANDIDATES)
        return _Candidates(indices[0].T, DISTANCE * distances[0].T)

    def _best(self, indices: Tensor, found: _Candidates, at: Tensor, aim: _Aim) -> Tensor:
        """The best candidates for the frames `at`, all others staying as they are."""
        trials = indices.repeat(found.indices.shape[1], 1)
        trials[:, at] = found.indices[at].T
        errors = self._errors(trials, aim)[:, None]
        around = F.avg_pool1d(errors, 2 * REACH + 1, 1, REACH)[:, 0] * (2 * REACH + 1)  # their sum
        best = (around[:, at] + found.cost[at].T).argmin(0)
        return found.indices[at, best]

    def _errors(self, trials: Tensor, aim: _Aim) -> Tensor:
        """What several codes [N, F] miss of what is aimed at, in each frame: [N, F]."""
        conditioning, model = self._model.conditioning, self._model
        hidden = model.hidden(trials, aim.vector.expand(len(trials), -1))
        off = conditioning.log_mel(hidden) - aim.log_mel
        error = off.abs().mean(1) + CEPSTRA * model.cepstral_distance.by_frame(off)
        if aim.f0 is not None:
            weight = model.config.training.pitch_weight
            error = error + weight * conditioning.pitch(hidden).by_frame(aim.f0)
        return error.unflatten(1, (trials.shape[1], -1)).mean(2)
