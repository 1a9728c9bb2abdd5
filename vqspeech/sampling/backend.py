"""How a trained WaveNet is sampled: one interface, and which backend stands behind it.

- int8, on a CPU: a quarter of the bytes, integer products, several streams a weight: the fast one.
- float32, on a CPU: the training graph's own arithmetic, one stream at a time.
- cuda, on a GPU: the training graph's own arithmetic, streams side by side.
- reference: the plain one that tests measure the others by; nobody is given it.

In each a stream's samples are the same alone, in any batch and on any number of threads.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from vqspeech.errors import InputError

if TYPE_CHECKING:  # the command line needs WEIGHTS, and no PyTorch
    import numpy as np
    import torch

    from vqspeech.nn.decoder import WaveNetDecoder
    from vqspeech.sampling.work import Drawn, Work

WEIGHTS = ("auto", "int8", "float32")
"""What can be asked for; "auto" is the fast one of the device."""


class Backend(Protocol):
    """A decoder whose weights are packed once, to sample streams with.

    A stream is a state, an object of the backend's own. `sample` and `logits` move the states that
    they are given on, in place, and change nothing else.
    """

    def new_state(self) -> Any:
        """A stream that has seen nothing: silence before its first sample."""
        ...

    def sample(self, work: "Sequence[Work]", threads: int) -> "list[Drawn]":
        """Free-running samples of every stream."""
        ...

    def logits(self, work: "Work", samples: "np.ndarray") -> "np.ndarray":
        """Teacher-forced logits [N, bands, 256] of given draws [N, bands], mu-law indices uint8.

        What `work` says of drawing is not used.
        """
        ...


def weights_for(weights: str, device: str) -> str:
    """The weights, "int8" or "float32", that a kind of device ("cpu", "cuda") is to be given.

    Raises InputError for weights that do not exist, or that the device has not.
    """
    if weights not in WEIGHTS:
        raise InputError(f"weights '{weights}' must be one of {', '.join(WEIGHTS)}")
    if device == "cpu":
        return "int8" if weights == "auto" else weights
    if weights == "int8":
        raise InputError("int8 weights are for a CPU; take float32 or auto, or the device cpu")
    return "float32"


def backend_for(decoder: "WaveNetDecoder", weights: str, device: "torch.device") -> Backend:
    """The backend that samples a decoder on the device on which it is. Raises InputError."""
    weights = weights_for(weights, device.type)
    # Imported where they are wanted: numba takes half a second, which a GPU need not wait for.
    if device.type != "cpu":
        from vqspeech.sampling.cuda import CudaBackend

        return CudaBackend(decoder)
    if weights == "float32":
        from vqspeech.sampling.float32 import Float32Backend

        return Float32Backend(decoder)
    from vqspeech.sampling.int8 import Int8Backend

    return Int8Backend(decoder)
