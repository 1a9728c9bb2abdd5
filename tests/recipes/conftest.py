"""The scripts of recipes/base and recipes/vctk/local, and a miniature corpus of either release."""

import importlib.util
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "recipes" / "vctk" / "local"))
sys.path.insert(0, str(REPOSITORY / "recipes" / "base"))


@pytest.fixture(scope="session")
def base_script():
    """base_script(name): a module of recipes/base, not by its name: others have such modules."""

    def load(name):
        path = REPOSITORY / "recipes" / "base" / f"{name}.py"
        about = importlib.util.spec_from_file_location(f"base_{name}", path)
        module = importlib.util.module_from_spec(about)
        about.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def scoring_script(base_script, monkeypatch):
    """scoring_script(name, score): a module of recipes/base with its processes in this one, and in
    every column of a decoding score(original, decoded), both [T]."""
    from concurrent.futures import ThreadPoolExecutor

    from decoding import COLUMNS

    def load(name, score):
        made = base_script(name)

        def scores(original, wave):
            assert len(wave) == len(original.samples)
            return [score(original.samples, wave)] * len(COLUMNS)

        monkeypatch.setattr(made, "workers", lambda jobs: ThreadPoolExecutor(1))
        monkeypatch.setattr(made, "scores", scores, raising=False)
        return made

    return load


@pytest.fixture(scope="session")
def packed_voices(tmp_path_factory):
    """Folder of a packed corpus of two voices, some of it held out; not to be changed."""
    import soundfile
    from tiny_runs import PITCH, RATE, voice

    from vqspeech.data.corpus import find_utterances
    from vqspeech.data.pack import pack

    root = tmp_path_factory.mktemp("voices")
    for speaker, pitch in PITCH.items():
        (root / speaker).mkdir()
        for i in range(3):
            soundfile.write(root / speaker / f"{i}.wav", voice(pitch, 2.7, i), RATE)
    out = root.with_name("packed-voices")
    pack(find_utterances(root), out, 1, 0.3, 0, progress=False)
    return out


@pytest.fixture(scope="session", params=["0.92", "0.80"])
def miniature(request, tmp_path_factory):
    """(folder, release) of a corpus of eight NumPy voices; not to be changed."""
    import miniature

    folder = tmp_path_factory.mktemp("vctk") / request.param
    return miniature.make(folder, request.param, utterances=6), request.param
