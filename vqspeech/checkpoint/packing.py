"""A trained model to one that is given away: half precision, its prior, a card."""

import shutil
from pathlib import Path

import torch

from vqspeech.checkpoint.identity import codes_identity
from vqspeech.checkpoint.location import CARD_FILE, PRIOR_FILE
from vqspeech.checkpoint.model import (
    Checkpoint,
    Packing,
    check_replaceable,
    load_checkpoint,
    save_checkpoint,
)
from vqspeech.checkpoint.prior import load_prior, save_prior
from vqspeech.files import replace_folder


def made_from(loaded: Checkpoint) -> str:
    """Names what a packed model is made from, for its card: the weights, and the prior's."""
    if not (loaded.folder / PRIOR_FILE).exists():
        return f"{loaded.about.fingerprint}, without a prior"
    prior = load_prior(loaded.folder, loaded.model).fingerprint
    return f"{loaded.about.fingerprint}, its prior {prior}"


def pack_model(loaded: Checkpoint, out: Path, card: str) -> bool:
    """Write `out` whole or not at all; False, and nothing is done, where its card is this one.

    The weights are rounded to 16 bits first and named (fingerprint) after that, so that what is
    given away is exactly what its name and its codes say. card: text of README.md, with
    `made_from`. Raises InputError where another folder than a model's would be replaced, OSError.
    """
    kept = out / CARD_FILE
    if kept.is_file() and kept.read_bytes() == card.encode():
        return False
    check_replaceable(out)
    about, partial = loaded.about, out.with_name(f".{out.name}.new")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        packing = Packing(card, torch.float16)
        rest = about.trained, about.teacher, packing
        save_checkpoint(loaded.model, about.speakers, partial, *rest)
        rounded = load_checkpoint(partial).model  # what is given away can be loaded
        if (loaded.folder / PRIOR_FILE).exists():
            # Rounding the encoder gives its codes another name, and moves hardly any of them.
            stored = load_prior(loaded.folder, loaded.model)
            codes = codes_identity(rounded.state_dict())
            save_prior(stored.prior, stored.speakers, partial, codes, torch.float16)
        replace_folder(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True
