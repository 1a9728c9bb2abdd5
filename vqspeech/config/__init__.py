"""What a model is and how it is trained: dataclasses that validate themselves, presets in TOML."""

from vqspeech.config.model import Config, from_dict
from vqspeech.config.reading import load_preset, preset_names

__all__ = ["Config", "from_dict", "load_preset", "preset_names"]
