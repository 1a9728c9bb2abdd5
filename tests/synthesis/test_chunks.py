"""Encoding in chunks, of an encoder that convolves samples: fewer at once, and the same codes."""

import dataclasses

import numpy as np
import pytest
import torch

from vqspeech.config.reading import load_preset
from vqspeech.nn.vqvae import VQVAE
from vqspeech.synthesis import streaming
from vqspeech.synthesis.streaming import ChunkEncoder


@pytest.fixture(scope="module")
def raw():
    """The preset `paper`, eight channels wide."""
    config = load_preset("paper")
    config = dataclasses.replace(
        config,
        encoder=dataclasses.replace(config.encoder, channels=8),
        decoder=dataclasses.replace(config.decoder, layers=1, residual_channels=4, skip_channels=4),
    )
    torch.manual_seed(0)
    return VQVAE(config, 1).eval()


@pytest.mark.parametrize("least", [0.01, 0.05, 30.0])
def test_the_codes_of_chunks_are_those_of_the_whole(raw, monkeypatch, least):
    monkeypatch.setattr(streaming, "RAW_CHUNK_SECONDS", 0.05)
    wave = (0.05 * np.random.default_rng(0).standard_normal(16_001)).astype(np.float32)
    encoded, whole = [], raw.encode

    def noted(samples, levels):
        encoded.append(samples.shape[1])
        return whole(samples, levels=levels)

    monkeypatch.setattr(raw, "encode", noted)
    chunks = ChunkEncoder(raw, least)
    found = [part for block in np.split(wave, [37, 9000]) for part in chunks.add(block)]
    found = np.concatenate(found + chunks.finish())
    monkeypatch.undo()
    with torch.inference_mode():
        expected = raw.encode(torch.from_numpy(wave)[None])[0].numpy()
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) >= 8
    assert max(encoded) < 0.2 * 16_000, "no chunk is long"
