"""Begin a training with what another model has learned, where the two are alike."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch

from vqspeech.checkpoint.identity import codes_identity, upper_identity
from vqspeech.checkpoint.model import Checkpoint
from vqspeech.checkpoint.teacher import TaughtBy
from vqspeech.config.networks import DecoderConfig
from vqspeech.nn.vqvae import VQVAE

CODEBOOKS = ("quantizer.", "levels.")
"""Each one thing: a codebook without its statistics, or with another's, would mean nothing. The
second says what the first leaves."""
CONDITION = "decoder.condition.weight"
"""What a WaveNet makes of hidden frames, [gates, channels of these]."""
LEARN_CODES = {"codes", "joint"}
"""Stages after which codes are others."""


class Origin(NamedTuple):
    """The model whose codes a run goes on with: how they were trained (`About`), and its folder,
    whose prior fits them."""

    trained: dict[str, int]
    teacher: TaughtBy | None
    folder: Path


def origin_of(model: VQVAE, other: Checkpoint, stages: Iterable[str]) -> Origin | None:
    """What a run of `stages` has of the model that it began with (`inherit`); None where its codes
    are, or will be, others."""
    own, found, left = model.state_dict(), other.model.state_dict(), set(stages)
    if left & LEARN_CODES or codes_identity(own) != codes_identity(found):
        return None
    if upper_identity(own) != upper_identity(found):
        left.add("levels")
    trained = {name: steps for name, steps in other.about.trained.items() if name not in left}
    return Origin(trained, other.about.teacher, other.folder)


def drawn(config: DecoderConfig) -> tuple[int, bool, bool]:
    """What a WaveNet draws, in units of which its full scale is: by a prediction of another order
    the residual is much the same."""
    return config.bands, config.scaled, config.prediction > 0


@torch.no_grad()
def inherit(model: VQVAE, speakers: list[str], other: Checkpoint) -> str:
    """Copy the weights of another model into `model`; returns what was copied, in words.

    Tensors of the same name and shape are taken over, those of the quantizer all or none, those of
    upper levels all or none, and none without the quantizer's; none of a WaveNet that draws
    something else. Vectors of `speakers` (the names of the model's rows) are found by their names.
    Those of new speakers begin at the mean of the other model's, a voice that its layers know: to
    them a random vector is as loud as nothing they were trained with.
    """
    found, own = other.model.state_dict(), model.state_dict()
    fits = {key for key in own if key in found and found[key].shape == own[key].shape}
    for number in range(len(CODEBOOKS)):
        books = {key for key in own | found if key.startswith(CODEBOOKS[: number + 1])}
        if not books <= fits:
            fits -= {key for key in fits if key.startswith(CODEBOOKS[number:])}
    anew = ""
    if drawn(model.config.decoder) != drawn(other.model.config.decoder):
        fits -= {key for key in fits if key.startswith("decoder.")}
        anew = "; the WaveNet, which draws something else, begins anew"
    elif model.config.decoder.prediction != other.model.config.decoder.prediction:
        fits.discard("decoder.scale")  # which is measured anew
    fits.discard("speakers.weight")
    for key in fits:
        own[key].copy_(found[key])
    width, told, heard = model.conditioning.width, own[CONDITION], found[CONDITION]
    alike = len(told) == len(heard) and width == other.model.conditioning.width
    if CONDITION not in fits and not anew and alike:
        # Upper levels, which only one of the two has, or has otherwise, say the WaveNet nothing.
        told[:, :width] = heard[:, :width]
        told[:, width:] = 0
        fits.add(CONDITION)
    rows = {speaker.name: row for row, speaker in enumerate(other.about.speakers)}
    known = [(row, rows[name]) for row, name in enumerate(speakers) if name in rows]
    table, vectors = own["speakers.weight"], found["speakers.weight"]
    new = ""
    if table.shape[1] == vectors.shape[1]:
        table.copy_(vectors.mean(0).expand_as(table))
        for here, there in known:
            table[here] = vectors[there]
        if len(known) < len(speakers):
            new = ", new ones as the mean of its voices"
    else:
        known = []
    return (
        f"{len(fits)} of {len(own) - 1} tensors and {len(known)} of {len(speakers)} speakers "
        f"begin as those of {other.folder}{new}{anew}"
    )
