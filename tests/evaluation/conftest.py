"""A codec that is no codec, and a sound like a voice."""

from types import SimpleNamespace

import numpy as np
import pytest
from synthetic_voice import sung

from vqspeech.codes import Codes
from vqspeech.dsp import frames_for
from vqspeech.errors import InputError

HOP = 320


class FakeCodec:
    """Stands for `vqspeech.Codec`: its decoders are the input with noise; `codes` count upwards."""

    name, fingerprint, codebook_size = "fake", "0123456789abcdef", 16
    speakers = ("anna", "bert", "other")

    def __init__(self):
        self.calls = []
        self._waves = {}

    def speaker_row(self, name):
        if name not in self.speakers:
            raise InputError(f"no speaker '{name}' in this model")
        return self.speakers.index(name)

    def encode(self, wave):
        codes = Codes(np.arange(frames_for(len(wave), HOP)) % 8, len(wave), HOP, self.fingerprint)
        self._waves[id(codes)] = (codes, wave)
        return codes

    def decode(self, codes, speaker, *, seed=0, preview=False):
        self.calls.append(SimpleNamespace(speaker=speaker, seed=seed, preview=preview))
        wave = self._waves[id(codes)][1]
        noise = np.random.default_rng(seed).standard_normal(len(wave))
        return (2 * wave + (0.05 if preview else 0.01) * noise).astype(np.float32)

    def nats_per_step(self, wave, speaker, shuffle=False):
        return 3.5 if shuffle else 3.0


@pytest.fixture
def codec():
    return FakeCodec()


@pytest.fixture(scope="session")
def voice():
    """Two seconds of it, float32 [T]."""
    return sung()[0]
