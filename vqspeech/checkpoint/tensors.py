"""Tensors from a file that nobody vouches for: each as the configuration wants it, or an error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from vqspeech.config.tables import shown
from vqspeech.errors import InputError
from vqspeech.nn.surroundings import plain_constants

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
DTYPES |= {"I64": torch.int64, "BOOL": torch.bool}


Module = TypeVar("Module", bound=nn.Module)


def unfilled(make: Callable[[], Module]) -> Module:
    """The module that `make` makes, its weights shapes only, for `load_state_dict` to assign.

    No memory is taken for what a file may not hold, and no random number is drawn.
    """
    with plain_constants(), torch.device("meta"):
        return make()


def expected_of(module: nn.Module) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """Shape and type of each tensor of a module."""
    return {name: (v.shape, v.dtype) for name, v in module.state_dict().items()}


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The safetensors file `path`. Raises InputError, inside of the block too, if it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read ({reason}); get the model again") from None


def checked_tensors(
    path: Path, file: Any, expected: dict[str, tuple]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The tensors of an open safetensors file, as they are stored and as the model wants them.

    The latter are copies, which what happens to the file does not move. expected: shape and type by
    name. Raises InputError for any other tensors than these.
    """
    wanted, found = set(expected), set(file.keys())
    for problem, names in (("lacks", wanted - found), ("has unknown", found - wanted)):
        if names:
            example = shown(sorted(names)[0])
            raise InputError(f"{path}: {problem} tensor {example}; get the model again")
    stored, weights = {}, {}
    for name, (shape, dtype) in expected.items():
        part = file.get_slice(name)
        has = torch.Size(part.get_shape())
        if has != shape:
            raise InputError(
                f"{path}: tensor {name} has shape {list(has)}, the configuration wants "
                f"{list(shape)}; get the model again"
            )
        if DTYPES.get(part.get_dtype()) is None or (
            DTYPES[part.get_dtype()].is_floating_point != dtype.is_floating_point
        ):
            raise InputError(
                f"{path}: tensor {name} has type {part.get_dtype()}, not {dtype}; "
                "get the model again"
            )
        stored[name] = file.get_tensor(name)
        weights[name] = stored[name].to(dtype, copy=True)
        if dtype.is_floating_point and not bool(torch.isfinite(weights[name]).all()):
            raise InputError(
                f"{path}: tensor {name} has NaN or infinite values; get the model again"
            )
    return stored, weights
