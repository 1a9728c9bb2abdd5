"""A corpus of two synthetic voices, and runs on it."""

import shutil

import numpy as np
import pytest
import soundfile
import torch
from tiny_runs import CONFIG, EVERYTHING, PITCH, RATE, Runs, voice

from vqspeech.config.model import from_dict
from vqspeech.data.corpus import find_utterances
from vqspeech.data.pack import pack
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import save_phonemes


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Folder of a packed corpus: two speakers, training and validation."""
    root = tmp_path_factory.mktemp("corpus")
    for speaker, pitch in PITCH.items():
        (root / "in" / speaker).mkdir(parents=True)
        for i in range(4):
            wave = voice(pitch, 0.5 + 0.1 * i, i)
            soundfile.write(root / "in" / speaker / f"{i}.wav", wave, RATE)
    pack(find_utterances(root / "in"), root / "packed", 1, 0.3, 0, progress=False)
    return root / "packed"


@pytest.fixture(scope="session")
def config():
    """Three short stages."""
    return from_dict(CONFIG)


@pytest.fixture(scope="session")
def everything():
    """The same stages of a model with all there is to learn."""
    return from_dict(EVERYTHING)


@pytest.fixture(scope="session")
def spoken(corpus, tmp_path_factory):
    """The corpus, and its phonemes: vowels by where the formant might be."""
    folder = shutil.copytree(corpus, tmp_path_factory.mktemp("spoken") / "packed")
    packed = PackedCorpus(folder)
    frames = -(-packed.index["utterances"]["samples"] // 160)
    save_phonemes(packed, [(np.arange(n) // 10 % 3).astype(np.int8) for n in frames])
    return folder


@pytest.fixture(scope="session")
def whole_run(corpus, config, tmp_path_factory):
    """Folder of a run of all stages in one go, previews and all."""
    with pytest.MonkeyPatch.context() as patch:
        runs = Runs(corpus, tmp_path_factory.mktemp("whole"), patch)
        runs.with_previews()
        return runs.train(config)


@pytest.fixture
def runs(corpus, tmp_path, monkeypatch):
    return Runs(corpus, tmp_path, monkeypatch)


@pytest.fixture(scope="session", autouse=True)
def full_precision():
    """Where a run chooses, the same on every processor: a process has but one precision."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vqspeech.training.run.cpu_has_bfloat16", lambda: False)
        yield


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
