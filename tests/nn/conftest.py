"""Presets with narrow layers: the same shapes in time, quick to run."""

import dataclasses

import pytest
import torch

from vqspeech.config.reading import load_preset, preset_names


def shrink(config):
    """`config` with its hop, dilations and strides, but few channels."""
    parts = {
        "encoder": {"channels": 8, "mels": 16},
        "quantizer": {"codebook_size": 16, "dim": 6},
        "conditioning": {"channels": 8, "speaker_dim": 4},
        "decoder": {"residual_channels": 6, "skip_channels": 8},
    }
    for name, values in parts.items():
        part = dataclasses.replace(getattr(config, name), **values)
        config = dataclasses.replace(config, **{name: part})
    return config


@pytest.fixture(params=preset_names())
def narrow(request):
    """Every preset in turn, narrow."""
    return shrink(load_preset(request.param))


@pytest.fixture
def narrow_base():
    return shrink(load_preset("base"))


@pytest.fixture
def narrow_paper():
    return shrink(load_preset("paper"))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
