"""Augmentation: the encoder hears other voices in training, so that codes leave the voice to the
speaker identity.

Whatever of a voice the codes carry, a conversion keeps. So in training the encoder hears each
recording with its frequencies scaled, as a longer or shorter vocal tract would, at another pitch
and through another equaliser, while what is to be predicted stays as it is: the decoder can know
these from the speaker identity alone. Choi et al. 2021, "Neural analysis and synthesis:
reconstructing speech from self-supervised representations", section 3.1, do so to waveforms; here
the filter banks' outputs are changed, which costs next to nothing.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.config.networks import EncoderConfig
from vqspeech.nn.distributed import rank, world

RIPPLES = 4
"""Cosines over the mel scale, from half a period up, that an equaliser is the sum of."""


class Augmentation(NamedTuple):
    """What is done to each of B recordings.

    vtlp: [B], by which all frequencies are scaled (vocal tract length perturbation, Jaitly and
    Hinton 2013). pitch_shift: [B], by which those of the low spectrum are scaled beyond that.
    equaliser: [B, RIPPLES] in nats, its cosines.
    """

    vtlp: Tensor
    pitch_shift: Tensor
    equaliser: Tensor


def draw(config: EncoderConfig, batch: int, device) -> Augmentation | None:
    """One for each recording of a batch; None where the configuration wants none."""
    if not (config.vtlp or config.pitch_shift or config.equaliser):
        return None
    # Drawn for the batch of all workers, whose random numbers are the same; each has its rows.
    share = torch.rand(batch * world(), 2 + RIPPLES, device=device)
    share = 2 * share[rank() * batch : (rank() + 1) * batch] - 1
    vtlp = torch.exp(config.vtlp * share[:, 0])
    pitch_shift = torch.exp(config.pitch_shift * share[:, 1])
    return Augmentation(vtlp, pitch_shift, ripples_of(config.equaliser, share[:, 2:]))


def ripples_of(deviation: float, share: Tensor) -> Tensor:
    """Shares in +-1, [B, RIPPLES], to the cosines of an equaliser of so many nats' deviation."""
    # Of a number within +-1 the mean square is 1/3, of a cosine 1/2.
    return deviation * math.sqrt(6 / RIPPLES) * share


def scaled(bands: Tensor, centres: Tensor, factor: Tensor) -> Tensor:
    """A spectrum [B, C, n] whose frequencies are scaled by `factor` [B].

    centres: [C], rising, where the bands lie. What would come from beyond the last repeats it.
    """
    wanted = centres / factor[:, None]  # [B, C]: what is heard at a band came from here
    right = torch.searchsorted(centres, wanted.contiguous()).clamp(1, len(centres) - 1)
    low, high = centres[right - 1], centres[right]
    share = ((wanted - low) / (high - low)).clamp(0, 1)[..., None].to(bands.dtype)
    index = right[..., None].expand(-1, -1, bands.shape[2])
    return bands.gather(1, index - 1) * (1 - share) + bands.gather(1, index) * share


def equalised(bands: Tensor, centres: Tensor, ripples: Tensor, floor: float) -> Tensor:
    """A log spectrum [B, C, n] through equalisers of `ripples` [B, RIPPLES].

    centres: [C] in Hz. floor: the least that a band has, before and after.
    """
    place = torch.log1p(centres / 700) / math.log1p(SAMPLE_RATE / 2 / 700)  # 0 to 1, in mel
    order = torch.arange(1, RIPPLES + 1, device=centres.device)
    gain = ripples @ torch.cos(math.pi * order[:, None] * place)  # [B, C]
    return (bands + gain[..., None].to(bands.dtype)).clamp_min(floor)
