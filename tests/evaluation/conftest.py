"""A codec that is no codec, and a sound like a voice."""

import sys
from dataclasses import asdict, replace
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from synthetic_voice import RATE, sung

from vqspeech.audio.signal import frames_for
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.checkpoint.voices import Voice
from vqspeech.codes.bitstream import PackedCoder
from vqspeech.codes.codes import Codes
from vqspeech.codes.header import Header
from vqspeech.codes.vqs import save_vqs
from vqspeech.config.networks import QuantizerConfig
from vqspeech.errors import InputError
from vqspeech.synthesis.options import Conversion

HOP = 320


class FakeCodec:
    """Stands for `vqspeech.Codec`: its decoders are the input with noise; `codes` count upwards.

    The noise is drawn by the seed, and the WaveNet's grows with the temperature.
    """

    fingerprint, has_prior, has_preview = "0123456789abcdef", False, True
    hears_voices, searches, device = False, False, "cpu"
    speakers = ("anna", "bert", "other")

    def __init__(self):
        self.calls, self.heard, self.vectors = [], [], []
        self.bitrates, self.searched = [], []
        self._waves = {}
        self.config = SimpleNamespace(
            name="fake",
            conditioning=SimpleNamespace(log_mel_head=True),
            decoder=SimpleNamespace(temperature=1.0, bands=4, harmonics=0, long_term=0.0),
            quantizer=QuantizerConfig(codebook_size=16),
        )
        self.model = SimpleNamespace(nats_per_step=self._nats)
        self.voices = SimpleNamespace(of=self._vector_of)

    @property
    def loaded(self):
        """As `LoadedModel`: what a codec has of it, this has itself."""
        return self

    @property
    def about(self):
        return SimpleNamespace(speakers=[Speaker(name, "", 1.0) for name in self.speakers])

    def check_decodable(self, preview=False):
        if preview and not self.has_preview:
            raise InputError("model fake has no head")

    def levels_at(self, bitrate):
        if bitrate not in (None, 200, 400):
            raise InputError(f"bitrate {bitrate} is none that this model has")

    def encode(self, wave, *, voice=True, bitrate=None, search=False):
        self.bitrates.append(bitrate)
        self.searched.append(search)
        codes = Codes(np.arange(frames_for(len(wave), HOP)) % 8, len(wave), HOP, self.fingerprint)
        if self.hears_voices:
            own = [0.75, 0.25] if voice == "refined" else [0.25, 0.75]
            codes = replace(codes, voice=np.array(own))
        self._waves[id(codes)] = (codes, wave)
        return codes

    def voice_of(self, wave, rate=RATE, name=""):
        self.heard.append((name, wave))
        return Voice(name, np.ones(2, np.float32), self.fingerprint, len(wave) / RATE)

    def decode(self, codes, speaker, options):
        return self._decoded(self._waves[id(codes)][1], "decode", speaker, options)

    def convert(self, wave, rate, speaker, **changes):
        assert rate == RATE
        return self._decoded(wave, "convert", speaker, Conversion(**changes))

    def _decoded(self, wave, how, speaker, options):
        self.calls.append(SimpleNamespace(how=how, speaker=speaker, **asdict(options)))
        warmth = 1.0 if options.temperature is None else options.temperature
        noise = np.random.default_rng(options.seed).standard_normal(len(wave))
        return (2 * wave + (0.05 if options.preview else 0.01 * warmth) * noise).astype(np.float32)

    def save_vqs(self, codes, path, speaker=None, packed=False):
        name, self._saved = speaker or "", codes
        header = Header(
            "0" * 16,
            "",
            HOP,
            self.config.quantizer.codebook_size,
            codes.samples,
            self.config.name,
            name,
        )
        return save_vqs(path, header, codes.indices, PackedCoder(header.bits))

    def load_vqs(self, file):
        """What was saved last, its voice in whole numbers."""
        assert file.read(4) == b"VQS\x01"
        codes = replace(self._saved, voice=np.round(self._saved.voice))
        self._waves[id(codes)] = (codes, self._waves[id(self._saved)][1])
        return codes, None, None

    def speaker_vector(self, speaker):
        if speaker not in self.speakers:
            raise InputError(f"no speaker '{speaker}' in this model")
        return torch.full((1, 2), float(self.speakers.index(speaker)))

    def _vector_of(self, codes, speaker):
        if speaker is None:
            return torch.from_numpy(codes.voice)[None]
        return self.speaker_vector(speaker)

    def _nats(self, wave, indices, vector, f0):
        """3 nats for codes in their order, 3.5 for any other."""
        assert wave.shape == (1, indices.shape[1] * HOP) and f0 is None
        self.vectors.append(vector.tolist())
        ordered = torch.arange(indices.shape[1])[None] % 8
        return torch.tensor([3.0 if indices.equal(ordered) else 3.5])


@pytest.fixture
def usage():
    """What `CodebookUsage.summary` may say."""
    found = {"codes": 600, "codebook_size": 512, "codebooks": 1, "entries": 512, "used": 480}
    found |= {"dead": 32, "perplexity": 301.2, "bits_per_second": 450.0}
    return found | {"entropy_bits_per_second": 411.6}


class FakeWhisper:
    """Stands for the package faster-whisper, and a folder with a model for it."""

    def __init__(self, folder):
        folder.mkdir()
        (folder / "model.bin").write_bytes(b"weights")
        self.folder, self.loaded, self.asked = str(folder), [], []
        self.says = lambda samples: "yes"

    def WhisperModel(self, folder, **how):  # noqa: N802
        self.loaded.append((folder, how))
        return SimpleNamespace(transcribe=self._transcribe)

    def _transcribe(self, samples, **how):
        assert samples.dtype == np.float32
        self.asked.append(how)
        return iter([SimpleNamespace(text=" " + self.says(samples))]), None

    def download_model(self, name):
        raise OSError(f"no network for {name}")


@pytest.fixture
def whisper(tmp_path, monkeypatch):
    """A recogniser that hears what `says` says, in this process."""
    from vqspeech.evaluation.metrics import whisper

    fake = FakeWhisper(tmp_path / "whisper")
    module = ModuleType("faster_whisper")
    module.__spec__ = ModuleSpec("faster_whisper", None)
    module.WhisperModel, module.download_model = fake.WhisperModel, fake.download_model
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    whisper._model.cache_clear()
    yield fake
    whisper._model.cache_clear()


@pytest.fixture
def codec():
    return FakeCodec()


@pytest.fixture(scope="session")
def voice():
    """Two seconds of it, float32 [T]."""
    return sung()[0]
