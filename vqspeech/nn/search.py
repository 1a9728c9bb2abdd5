"""Analysis by synthesis: codes that decode nearest to a recording (Schroeder and Atal 1985,
"Code-excited linear prediction").

The nearest code to what the encoder says of a frame is not the best one: many are nearly as near,
and the conditioning net hears each of them together with its neighbours. So of every frame the
nearest few are tried, beside what its neighbours have by then, and that one is kept with which the
log-mel around it is predicted best; then, over the codes that were found, those of the next level.
"""

from collections.abc import Callable
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
DISTANCE, UPPER_DISTANCE = 0.03, 0.01
"""What a squared distance counts for: the first level's codes were taught more than a log-mel says,
those of the upper levels are for all voices."""


class _Few(NamedTuple):
    """The codes that may be a frame's: indices [K, F], and what it costs to take them [K, F]."""

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

    def __call__(
        self, wave: Tensor, vector: Tensor, f0: Tensor | None = None, levels: int = 1
    ) -> Tensor:
        """The codes, int64 [levels, F], of wave [1, F * hop] in the voice of vector [1, S]: its
        own, for the log-mel is to be the recording's. f0: its own, [1, F * hop / 160] in Hz, for a
        model that predicts one. Those of a lower level are the same whatever stands above them."""
        model, aim = self._model, _Aim(vector, self._model.target_mel(wave), f0)
        distances, indices = model.quantizer.nearest_few(model.encoder(wave), CANDIDATES)
        few = _Few(indices[0], DISTANCE * distances[0])
        found = self._searched(indices[:1, 0], lambda codes: few, aim)
        if levels == 1:
            return found
        upper = model.levels
        assert upper is not None
        left = upper.left(aim.log_mel, upper.expected(model.quantizer.lookup(found)))
        frames = torch.tensor([found.shape[1]], device=left.device)
        for level in range(levels - 1):

            def nearest(codes: Tensor, level: int = level, left: Tensor = left) -> _Few:
                distances, indices = upper.nearest_few(level, left, codes, CANDIDATES)
                return _Few(indices, UPPER_DISTANCE * distances)

            greedy, *_ = upper.level_with_ties(level, left, frames)
            start = torch.cat([found, greedy[:, : found.shape[1]]])
            found = self._searched(start, nearest, aim)
            left = upper.taken(level, left, found[-1])
        return found

    def _searched(self, indices: Tensor, few: Callable[[Tensor], _Few], aim: _Aim) -> Tensor:
        """Codes [levels, F] whose last level is searched, those below it staying as they are. few:
        the candidates for each frame, beside what its neighbours [F] have."""
        found, frames = indices.clone(), indices.shape[1]
        for first in range(min(APART, frames)):
            at = torch.arange(first, frames, APART, device=indices.device)
            found[-1, at] = self._best(found, few(found[-1]), at, aim)
        return found

    def _best(self, indices: Tensor, few: _Few, at: Tensor, aim: _Aim) -> Tensor:
        """The best candidates for the frames `at` of the last level."""
        trials = indices.repeat(len(few.indices), 1, 1)
        trials[:, -1, at] = few.indices[:, at]
        errors = self._errors(trials, aim)[:, None]
        around = F.avg_pool1d(errors, 2 * REACH + 1, 1, REACH)[:, 0] * (2 * REACH + 1)  # their sum
        best = (around + few.cost)[:, at].argmin(0)
        return few.indices[best, at]

    def _errors(self, trials: Tensor, aim: _Aim) -> Tensor:
        """What several codes [N, levels, F] miss of what is aimed at, in each frame: [N, F]."""
        conditioning, model = self._model.conditioning, self._model
        hidden = model.hidden(trials, aim.vector.expand(len(trials), -1))
        off = conditioning.log_mel(hidden) - aim.log_mel
        error = off.abs().mean(1) + CEPSTRA * model.cepstral_distance.by_frame(off)
        if aim.f0 is not None:
            weight = model.config.training.pitch_weight
            error = error + weight * conditioning.pitch(hidden).by_frame(aim.f0)
        return error.unflatten(1, (trials.shape[-1], -1)).mean(2)
