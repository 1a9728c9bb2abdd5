"""What a stage of training minimises, over which parameters, and the figures that tell of it."""

import torch
from torch import Tensor, nn

from vqspeech.config.model import Config
from vqspeech.config.training import StageConfig
from vqspeech.nn.batch import Losses
from vqspeech.nn.distributed import sum_over_workers, world
from vqspeech.nn.quantizer import perplexity
from vqspeech.nn.vqvae import VQVAE


def total_loss(config: Config, stage: StageConfig, losses: Losses) -> Tensor:
    """-log p(x|z) + codebook term + beta commitment + auxiliary terms; those the stage has."""
    weights = config.training
    terms = [
        (1.0, losses.nats),
        (weights.log_mel_weight, losses.mel),
        (1.0, losses.expected),
        (weights.cepstrum_weight, losses.cepstra),
        (weights.pitch_weight, losses.pitch),
    ]
    if stage.name != "waveform":
        terms.append((weights.phoneme_weight, losses.phonemes))
        terms.append((weights.perceptual_weight, losses.perceptual))
        terms.append((weights.states_weight, losses.states))
        terms.append((config.quantizer.commitment, losses.commitment))
        if config.quantizer.update == "gradient":
            terms.append((1.0, losses.codebook))
    found = (weight * term for weight, term in terms if term is not None)
    return sum(found, losses.codebook.new_zeros(()))


def trained_parameters(
    model: VQVAE, stage: StageConfig, phonemes: bool = True, strangers: bool = False
) -> list[nn.Parameter]:
    """The parameters that a stage moves; all others are frozen.

    phonemes: whether the corpus has any; without, what reads them is frozen. strangers: whether
    vectors of speakers learn even where what they condition stands still.
    """
    told = (model.speakers, model.conditioning, model.speaker_encoder)
    known = (model.speakers,) if strangers else ()
    parts = {
        "codes": tuple(part for name, part in model.named_children() if name != "decoder"),
        "levels": (*told, model.levels),
        "waveform": (*(told if stage.conditioning else known), model.decoder),
        "joint": (model,),
    }[stage.name]
    frozen = set()
    if model.config.quantizer.update != "gradient":  # moving averages alone move the codebooks
        frozen.update(model.quantizer.parameters())
    if model.levels is not None:  # likewise, and the rest of them stands still once they are there
        learned = stage.name == "levels"
        frozen.update((model.levels.quantizers if learned else model.levels).parameters())
    if model.config.quantizer.normalise:
        # The normalisation takes this bias out again: its gradient is rounding noise, which Adam
        # would blow up to steps of full size, others in every process and on every machine.
        frozen.add(model.encoder.project.bias)
    if model.phoneme_head is not None and not phonemes:  # processes would wait for its gradient
        frozen.update(model.phoneme_head.parameters())
    model.requires_grad_(False)
    chosen = [x for part in parts if part is not None for x in part.parameters() if x not in frozen]
    for parameter in chosen:
        parameter.requires_grad_(True)
    return chosen


def step_figures(losses: Losses, norm: Tensor) -> dict[str, float]:
    """The terms of one batch of all processes as numbers, fetched from the device at once."""
    terms = {
        "nats": losses.nats,
        "mel": losses.mel,
        "cepstra": losses.cepstra,
        "pitch": losses.pitch,
        "phonemes": losses.phonemes,
        "perceptual": losses.perceptual,
        "states": losses.states,
        "codebook": losses.codebook,
        "commitment": losses.commitment,
        "expected": losses.expected,
        "left": None if losses.left is None else losses.left[-1],
        "perplexity": perplexity(losses.usage),
        "gradient_norm": norm,
    }
    terms = {name: value.detach().float() for name, value in terms.items() if value is not None}
    values = sum_over_workers(torch.stack(list(terms.values()))) / world()
    return dict(zip(terms, values.tolist(), strict=True))
