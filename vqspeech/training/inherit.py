"""Begin a training with what another model has learned, where the two are alike."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from vqspeech.checkpoint.identity import codes_identity, upper_identity
from vqspeech.checkpoint.model import Checkpoint
from vqspeech.checkpoint.teacher import TaughtBy
from vqspeech.config.model import Config
from vqspeech.config.networks import DecoderConfig, EncoderConfig
from vqspeech.config.training import StageConfig
from vqspeech.errors import InputError
from vqspeech.nn.vqvae import VQVAE

CODEBOOKS = ("quantizer.", "levels.")
"""Each one thing: a codebook without its statistics, or with another's, would mean nothing. The
second says what the first leaves."""
CONDITION = "decoder.condition.weight"
"""What a WaveNet makes of hidden frames, [gates, channels of these]."""
LEARN_CODES = {"codes", "joint"}
"""Stages after which codes are others."""
LEARN_WAVENET = {"waveform", "joint"}
TOLD = ("conditioning.", "speaker_encoder.")
"""What says the WaveNet what to draw; a stage may leave it as it is."""
OF_LEVELS = tuple(f"conditioning.{part}." for part in ("level", "upper", "detail"))
"""Of these, what is there for upper levels alone, and silent without them."""


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
    if not goes_on(model, other):
        left |= LEARN_WAVENET
    trained = {name: steps for name, steps in other.about.trained.items() if name not in left}
    return Origin(trained, other.about.teacher, other.folder)


def goes_on(model: VQVAE, other: Checkpoint) -> bool:
    """Whether all of the WaveNet of `model` is the other's (`inherit`), but for its full scale, and
    for what it is told of upper levels that only one of the two has."""
    own, found = model.decoder.state_dict(), other.model.decoder.state_dict()
    width, told = other.model.conditioning.width, CONDITION.removeprefix("decoder.")
    for parts in (own, found):
        parts[told] = parts[told][:, :width]
        del parts["scale"]
    return own.keys() == found.keys() and all(torch.equal(own[key], found[key]) for key in own)


def network(config: Config) -> tuple[int, EncoderConfig]:
    """What of an encoder decides which codes are right, beside its weights: all but how it hears
    in training."""
    return config.hop, replace(config.encoder, vtlp=0.0, pitch_shift=0.0, equaliser=0.0)


def strangers(
    model: VQVAE, speakers: list[str], other: Checkpoint, stages: Iterable[StageConfig]
) -> bool:
    """Whether `stages`, with the other's weights (`inherit`), would leave speakers whom it does not
    know as strangers: all of them at the mean of its voices, as conditioning stands still.

    Raises InputError where they would leave a conditioning net, or a speaker encoder, at random.
    """
    if any(stage.name != "waveform" or stage.conditioning for stage in stages):
        return False
    own, found = model.state_dict(), other.model.state_dict()
    told = [key for key in own if key.startswith(TOLD) and not key.startswith(OF_LEVELS)]
    if any(key not in found or found[key].shape != own[key].shape for key in told):
        raise InputError(
            f"{other.folder} has another conditioning net or speaker encoder than this "
            "configuration, and its stages do not train them: give the stage 'waveform' a "
            "conditioning above 0, or train the stage 'codes' too"
        )
    return not set(speakers) <= {speaker.name for speaker in other.about.speakers}


def drawn(config: DecoderConfig) -> tuple[int, bool, bool]:
    """What a WaveNet draws, in units of which its full scale is: by a prediction of another order
    the residual is much the same."""
    return config.bands, config.scaled, config.prediction > 0


@torch.no_grad()
def inherit(model: VQVAE, speakers: list[str], other: Checkpoint) -> str:
    """Copy the weights of another model into `model`; returns what was copied, in words.

    Tensors of the same name and shape are taken over, those of the quantizer all or none, and none
    beside another encoder; those of upper levels all or none, and none without the quantizer's;
    none of a WaveNet that draws something else. Vectors of `speakers` (the names of the model's
    rows) are found by their names. Those of new speakers begin at the mean of the other model's, a
    voice that its layers know: to them a random vector is as loud as nothing they were trained
    with.
    """
    found, own = other.model.state_dict(), model.state_dict()
    fits = {key for key in own if key in found and found[key].shape == own[key].shape}
    for number in range(len(CODEBOOKS)):
        books = {key for key in own | found if key.startswith(CODEBOOKS[: number + 1])}
        if not books <= fits:
            fits -= {key for key in fits if key.startswith(CODEBOOKS[number:])}
    anew, draws_alike = "", drawn(model.config.decoder) == drawn(other.model.config.decoder)
    if network(model.config) != network(other.model.config):
        fits -= {key for key in fits if key.startswith(CODEBOOKS)}
        anew = "; the codebooks begin anew, as the encoder is another"
    if not draws_alike:
        fits -= {key for key in fits if key.startswith("decoder.")}
        anew += "; the WaveNet, which draws something else, begins anew"
    elif model.config.decoder.prediction != other.model.config.decoder.prediction:
        fits.discard("decoder.scale")  # which is measured anew
    fits.discard("speakers.weight")
    for key in fits:
        own[key].copy_(found[key])
    width, told, heard = model.conditioning.width, own[CONDITION], found[CONDITION]
    alike = len(told) == len(heard) and width == other.model.conditioning.width
    if CONDITION not in fits and draws_alike and alike:
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
