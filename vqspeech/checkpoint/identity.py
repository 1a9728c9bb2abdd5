"""Names for weights: hashes that outlive a renamed attribute.

A `.vqs` file and a prior name the codes that they were made with, an enrolled voice the model; the
names are hashes of tensors' values. Each value is hashed under a declared name, in the order of
these names: those that the tensors had when identities were first given. What is called otherwise
in the code by now stands in `DECLARED`; who renames an attribute adds a line there, and every file
stays valid (tests/checkpoint/test_identity.py has all names).
"""

import hashlib
import re

import torch
from torch import Tensor

DECLARED = {
    r"^conditioning\.log_mel_head\.": "conditioning.head.",
    r"^(conditioning\.blocks\.\d+)\.film\.": r"\1.scale.",
    r"^phoneme_head\.": "phonemes.",
    r"^decoder\.excitation\.": "decoder.excite.",
    r"^quantizer\.books\.\d+\.": "quantizer.",
}
"""What the names of tensors begin with, and what their declared names begin with instead."""


def declared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a state by their declared names, in the order of these.

    Those that share a name, one of each codebook, are one below another; of single numbers, which
    are the same in all, there is one.
    """
    groups: dict[str, list[Tensor]] = {}
    for name, value in sorted(tensors.items()):
        for now, then in DECLARED.items():
            name = re.sub(now, then, name)
        groups.setdefault(name, []).append(value)
    joined = {k: torch.cat(v) if v[0].dim() else v[0] for k, v in groups.items()}
    return dict(sorted(joined.items()))


def fingerprint(tensors: dict[str, Tensor]) -> str:
    """16 hex digits that name these weights, as they are stored (on the CPU)."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in declared(tensors).items():
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def codes_identity(tensors: dict[str, Tensor]) -> str:
    """16 hex digits that name a model's codes: its encoder and codebooks, at any precision.

    tensors: the model's state. Models that differ in the decoder only, as after more of the stage
    "waveform", or in upper levels, share it, and with it their priors and their `.vqs` files.
    """
    return _of_parts(tensors, ("encoder.", "quantizer."))


def upper_identity(tensors: dict[str, Tensor]) -> str:
    """16 hex digits that name the codebooks of a model's upper levels, at any precision."""
    return _of_parts(tensors, ("levels.",))


def _of_parts(tensors: dict[str, Tensor], parts: tuple[str, ...]) -> str:
    return fingerprint(
        {
            name: (value.float() if value.is_floating_point() else value).cpu()
            for name, value in tensors.items()
            if name.startswith(parts)
        }
    )
