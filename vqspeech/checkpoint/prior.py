"""A prior on disk: `prior.safetensors` beside the `model.safetensors` of the codes it predicts.

All that it needs to be read stands in the file's metadata: its own configuration, the name of the
codes that it was fitted to, and a hash of its weights. So a prior can be added to a model, or taken
away, and nothing else in the folder changes. A folder without one is a whole model.
"""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save

from vqspeech.checkpoint.identity import codes_identity, fingerprint
from vqspeech.checkpoint.location import PRIOR_FILE
from vqspeech.checkpoint.tensors import checked_tensors, expected_of, opened, unfilled
from vqspeech.config.tables import build
from vqspeech.config.training import PriorConfig
from vqspeech.errors import InputError
from vqspeech.files import whole_file
from vqspeech.nn.prior import Prior
from vqspeech.nn.vqvae import VQVAE

FORMAT = "1"


class StoredPrior(NamedTuple):
    """A prior in evaluation mode on the CPU, the names of its speakers' rows, its fingerprint."""

    prior: Prior
    speakers: list[str]
    fingerprint: str


def save_prior(
    prior: Prior,
    speakers: list[str],
    folder: Path,
    codes: str,
    dtype: torch.dtype = torch.float32,
) -> str:
    """Write the prior of the codes named `codes` into a model's folder; returns its fingerprint.

    speakers: names of its rows; a model may have others by now. Raises OSError if it cannot be
    written.
    """
    tensors = {k: v.detach().cpu().to(dtype).contiguous() for k, v in prior.state_dict().items()}
    name = fingerprint(tensors)
    about = {
        "format": FORMAT,
        "codes": codes,
        "fingerprint": name,
        "config": json.dumps(dataclasses.asdict(prior.config)),
        "speakers": json.dumps(speakers),
    }
    with whole_file(Path(folder) / PRIOR_FILE) as file:
        file.write(save(tensors, about))
    return name


def load_prior(folder: Path, model: VQVAE) -> StoredPrior:
    """The prior in the folder of `model`.

    Raises InputError: there is none, it is damaged, or it was fitted to other codes.
    """
    path = Path(folder) / PRIOR_FILE
    if not path.exists():
        raise InputError(
            f"{folder}: the model has no prior over its codes; fit one with "
            "`vqspeech train --stage prior`, or leave out what needs one"
        )
    with opened(path) as file:
        return _load(path, file, model)


def _load(path: Path, file, model: VQVAE) -> StoredPrior:
    about = file.metadata() or {}
    if about.get("format") != FORMAT:
        raise InputError(
            f"{path}: has format {about.get('format', 'none')[:20]}, this program reads {FORMAT}; "
            "upgrade vqspeech"
        )
    if (own := codes_identity(model.state_dict())) != about.get("codes"):
        raise InputError(
            f"{path}: was fitted to codes {about.get('codes', 'none')[:20]}, the model has {own}; "
            "fit a prior to this model"
        )
    try:
        config = build(PriorConfig, json.loads(about.get("config", "")), "prior")
        speakers = json.loads(about.get("speakers", ""))
    except (InputError, ValueError, RecursionError) as error:
        reason = error if isinstance(error, InputError) else "what it says of itself is not JSON"
        raise InputError(f"{path}: {reason}; get the model again") from None
    if not isinstance(speakers, list) or not all(isinstance(name, str) for name in speakers):
        raise InputError(f"{path}: does not name its speakers; get the model again")
    quantizer = model.config.quantizer
    prior = unfilled(lambda: Prior(config, quantizer, len(speakers)))
    stored, weights = checked_tensors(path, file, expected_of(prior))
    name = fingerprint(stored)
    if name != about.get("fingerprint"):
        raise InputError(f"{path}: its weights are not those it names; get the model again")
    prior.load_state_dict(weights, assign=True)
    return StoredPrior(prior.eval(), speakers, name)
