"""recipes/base/phonemes.py: transcripts by the corpus's names, and what is noted of each."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tones import RATE, vowel

from vqspeech.data.corpus import find_utterances
from vqspeech.data.pack import pack
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import UNKNOWN, load_phonemes
from vqspeech.nn.phonemes import PHONEMES

SCRIPT = Path(__file__).resolve().parents[2] / "recipes" / "base" / "phonemes.py"
SAID = {"anna/one": "Oh.", "anna/2": "", "bert/3": "she hadde", "bert/4": "oh"}
"""By the names of the corpus; the last one's recording was not packed."""
SPOKEN = {PHONEMES.index(name) for name in ("OW", "SIL")}


@pytest.fixture(scope="module")
def phonemes(base_script):
    return base_script("phonemes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a manifest of what was said, and the packed corpus."""
    root, rows = tmp_path_factory.mktemp("said"), ["speaker\tfile\tutterance\ttranscript"]
    for i, (name, transcript) in enumerate(SAID.items()):
        speaker, utterance = name.split("/")
        soundfile.write(root / f"{i}.wav", vowel(1.0, 120.0, seed=i), RATE)
        rows.append(f"{speaker}\t{i}.wav\t{utterance}\t{transcript}")
    (root / "manifest.tsv").write_text("\n".join(rows) + "\n")
    found = find_utterances(root, root / "manifest.tsv")
    pack(found[:-1], root / "packed", 1, 0.3, 0, progress=False)
    return root


def test_transcripts_have_the_names_of_the_corpus(phonemes, folder):
    found = phonemes.transcripts_by_name(folder / "manifest.tsv")
    assert found == SAID
    names = PackedCorpus(folder / "packed").index["utterances"]["name"]
    assert sorted(names) == sorted(SAID)[:-1]


def test_a_manifest_without_transcripts(phonemes, folder, tmp_path):
    (tmp_path / "plain.tsv").write_text("speaker\tfile\nanna\tx/0.wav\n")
    assert phonemes.transcripts_by_name(tmp_path / "plain.tsv") == {"anna/x/0": ""}


def test_labels(phonemes, folder, monkeypatch):
    packed = folder / "packed"
    corpus = PackedCorpus(packed)
    for row, name in enumerate(corpus.index["utterances"]["name"]):
        found, reason = phonemes.labels((packed, row, SAID[name]))
        assert found.dtype == np.int8 and len(found) == -(-len(corpus.audio(row)) // 160)
        if name == "anna/one":
            assert reason == "" and PHONEMES.index("OW") in found
            assert set(found.tolist()) <= SPOKEN
        else:
            assert set(found.tolist()) == {UNKNOWN}
            assert {"anna/2": "no transcript", "bert/3": "dictionary"}[name] in reason
    monkeypatch.setattr("vqspeech.evaluation.phonemes.forced_alignment.MAX_SECONDS", 0.5)
    found, reason = phonemes.labels((packed, 0, "oh"))
    assert set(found.tolist()) == {UNKNOWN} and reason == "longer than 0.5 s"


def run(*arguments):
    command = [sys.executable, SCRIPT, *arguments, "--jobs", "1"]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_whole_recipe(folder):
    packed = folder / "packed"
    assert load_phonemes(PackedCorpus(packed)) is None
    done = run(folder / "manifest.tsv", packed)
    assert done.returncode == 0, done.stderr
    assert "0.00 h aligned" in done.stdout
    assert "no transcript: 1" in done.stdout and "dictionary lacks: 1" in done.stdout
    corpus = PackedCorpus(packed)
    known = load_phonemes(corpus)
    for row, name in enumerate(corpus.index["utterances"]["name"]):
        values = set(known.of(row).tolist())
        assert values <= SPOKEN if name == "anna/one" else values == {UNKNOWN}
    again = run(folder / "manifest.tsv", packed)
    assert again.returncode == 0 and "has its phonemes already" in again.stdout


def test_what_is_no_corpus(folder, tmp_path):
    done = run(folder / "manifest.tsv", tmp_path)
    assert done.returncode == 2
    assert "is not a prepared corpus" in done.stderr and "Traceback" not in done.stderr


def test_a_manifest_outside_the_root(folder, tmp_path):
    """Its files are named by their paths below ROOT, which only `prepare` was told."""
    manifest, packed = tmp_path / "lists" / "m.tsv", tmp_path / "packed"
    manifest.parent.mkdir()
    manifest.write_text(f"speaker\tfile\ttranscript\nanna\t{folder / '0.wav'}\tOh.\n")
    pack(find_utterances(folder, manifest), packed, 1, 0.3, 0, progress=False)
    done = run(manifest, packed)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "names no utterance" in done.stderr and "--root" in done.stderr
    assert load_phonemes(PackedCorpus(packed)) is None, "nothing is kept"
    done = run(manifest, packed, "--root", folder)
    assert done.returncode == 0, done.stderr
    assert set(load_phonemes(PackedCorpus(packed)).of(0).tolist()) == SPOKEN
