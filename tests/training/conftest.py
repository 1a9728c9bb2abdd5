"""A corpus of two synthetic voices, and runs on it."""

import pytest
import soundfile
import torch
from tiny_runs import CONFIG, PITCH, RATE, Runs, voice

from vqspeech.config import from_dict
from vqspeech.data.corpus import find_utterances
from vqspeech.data.pack import pack


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
def whole_run(corpus, config, tmp_path_factory):
    """Folder of a run of all stages in one go, previews and all."""
    with pytest.MonkeyPatch.context() as patch:
        runs = Runs(corpus, tmp_path_factory.mktemp("whole"), patch)
        runs.with_previews()
        return runs.train(config)


@pytest.fixture
def runs(corpus, tmp_path, monkeypatch):
    return Runs(corpus, tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
