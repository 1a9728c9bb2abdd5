"""vqspeech: discrete speech codes with a VQ-VAE, and speech from them with a WaveNet."""

from typing import TYPE_CHECKING

__version__ = "0.2.0"
__all__ = ["Codec", "Codes", "InputError", "__version__"]

if TYPE_CHECKING:
    from vqspeech.codec import Codec
    from vqspeech.codes import Codes
    from vqspeech.errors import InputError

_HOME = {
    "Codec": "vqspeech.codec",
    "Codes": "vqspeech.codes",
    "InputError": "vqspeech.errors",
}


def __getattr__(name: str):
    """Load `Codec` (and with it torch) only when somebody asks for it."""
    if name not in _HOME:
        raise AttributeError(f"module 'vqspeech' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
