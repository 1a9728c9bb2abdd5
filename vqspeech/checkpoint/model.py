"""A model on disk: a folder with `config.json`, `model.safetensors` and `README.md`.

A prior over the codes may stand beside them (`checkpoint.prior`). Nothing is unpickled, and every
size is checked against the configuration before a tensor is read.
"""

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from vqspeech.checkpoint.about import About, read_about
from vqspeech.checkpoint.identity import codes_identity, fingerprint
from vqspeech.checkpoint.location import CARD_FILE, CONFIG_FILE, PRIOR_FILE, WEIGHTS_FILE, resolve
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.checkpoint.teacher import TaughtBy
from vqspeech.checkpoint.tensors import checked_tensors, expected_of, opened, unfilled
from vqspeech.config.model import Config
from vqspeech.errors import InputError
from vqspeech.files import replace_folder
from vqspeech.nn.surroundings import in_own_surroundings
from vqspeech.nn.vqvae import TRAINING_ONLY, VQVAE


@dataclass(frozen=True)
class Packing:
    """How a model is written: card: text of README.md; None for a plain one. dtype: of weights.
    prior_of: another model's folder, whose prior goes with it where none of its own does."""

    card: str | None = None
    dtype: torch.dtype = torch.float32
    prior_of: Path | None = None


PLAIN = Packing()


class Checkpoint(NamedTuple):
    """A loaded model, in evaluation mode on the CPU, and what is known of it."""

    model: VQVAE
    about: About
    folder: Path


def save_checkpoint(
    model: VQVAE,
    speakers: list[Speaker],
    folder: Path,
    trained: dict[str, int],
    teacher: TaughtBy | None = None,
    packing: Packing = PLAIN,
) -> None:
    """Write the folder whole or not at all; an older checkpoint of that name is replaced, any other
    folder is refused (InputError).

    speakers: in the order of the rows. trained: steps done in each stage, by its name. teacher: who
    taught its codes. What serves in training only is left out. Raises OSError if it cannot be
    written.
    """
    folder = Path(folder)
    check_replaceable(folder)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    tensors = {
        name: (value.to(packing.dtype) if value.is_floating_point() else value)
        .detach()
        .cpu()
        .contiguous()
        for name, value in model.state_dict().items()
        if not name.startswith(TRAINING_ONLY)
    }
    about = About(model.config, speakers, trained, fingerprint(tensors), teacher)
    try:
        partial.mkdir(parents=True)
        (partial / CONFIG_FILE).write_text(json.dumps(about.to_dict(), indent=1) + "\n")
        save_file(tensors, partial / WEIGHTS_FILE)
        os.chmod(partial / WEIGHTS_FILE, 0o644)  # safetensors makes it the owner's alone
        (partial / CARD_FILE).write_text(packing.card or default_card(model.config, speakers))
        _carry_prior([folder, packing.prior_of], partial, codes_identity(tensors))
        replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_replaceable(folder: Path) -> None:
    """Raises InputError where `folder` is there, and holds other files than a model's."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / WEIGHTS_FILE).is_file()):
        raise InputError(f"{folder}: is no model, and would be replaced by one; name another place")


def _carry_prior(folders: Sequence[Path | None], new: Path, codes: str) -> None:
    """Copy the first prior in `folders` that is one of `codes`, which training left alone, to
    folder `new`: it goes on fitting while only the decoder is trained."""
    for old in filter(None, folders):
        try:
            with safe_open(old / PRIOR_FILE, "pt") as file:
                fits = (file.metadata() or {}).get("codes") == codes
        except (OSError, SafetensorError):
            continue
        if fits:
            shutil.copyfile(old / PRIOR_FILE, new / PRIOR_FILE)
            return


def recover(folder: Path) -> None:
    """Put right what a `save_checkpoint` that was killed left: the older checkpoint stands again.

    Raises OSError.
    """
    old = folder.with_name(f".{folder.name}.old")
    if old.is_dir() and not folder.exists():
        os.rename(old, folder)
    for left in [old, *folder.parent.glob(f".{folder.name}.*.partial")]:
        shutil.rmtree(left, ignore_errors=True)


def default_card(config: Config, speakers: list[Speaker]) -> str:
    """README.md of a checkpoint that nobody has described yet."""
    minutes = sum(speaker.minutes for speaker in speakers)
    return (
        f"# {config.name}: a vqspeech model\n\n"
        f"{config.frame_rate:g} codes/s from {config.quantizer.codebook_size} "
        f"({config.bit_rate:g} bit/s), "
        f"{len(speakers)} speaker identities, trained on {minutes / 60:.1f} h of speech.\n\n"
        "Name the recordings it was trained on, and their licences, here before you publish it.\n"
    )


@in_own_surroundings
def load_checkpoint(name: str | os.PathLike | None = None) -> Checkpoint:
    """Load a model by folder or hub name (None: the shipped one).

    Raises InputError naming the file and what is wrong: a missing or unexpected tensor, a wrong
    shape or type, values that are not finite, an unknown key in the configuration, weights that are
    not those of the configuration.
    """
    folder = resolve(name)
    about = read_about(folder)
    config, speakers = about.config, about.speakers
    path = folder / WEIGHTS_FILE
    model = unfilled(lambda: VQVAE(config, len(speakers)))
    with opened(path) as file:
        stored, weights = checked_tensors(path, file, expected_of(model))
    if fingerprint(stored) != about.fingerprint:
        raise InputError(
            f"{path}: its weights are not those that {CONFIG_FILE} names; get the model again"
        )
    model.load_state_dict(weights, assign=True)
    return Checkpoint(model.eval(), about, folder)
