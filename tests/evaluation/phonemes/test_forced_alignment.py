import shutil
import subprocess
import sys

import numpy as np
import pytest

from vqspeech.audio.reading import read
from vqspeech.data.corpus import Utterance
from vqspeech.errors import InputError
from vqspeech.evaluation.phonemes.alignment import AlignmentFolder, NotAligned
from vqspeech.evaluation.phonemes.forced_alignment import ForcedAligner, TranscriptAligner

SENTENCE = "She had your dark suit in greasy wash water"
PAUSE = 8000


@pytest.fixture(scope="module")
def aligner():
    return ForcedAligner()


@pytest.fixture(scope="module")
def sentence(tmp_path_factory):
    """The sentence by espeak-ng, half a second of silence to either side."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    path = tmp_path_factory.mktemp("spoken") / "a.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-w", path, SENTENCE], check=True)
    return np.pad(read(path), PAUSE)


def test_a_sentence_is_aligned(aligner, sentence):
    found = aligner(sentence, f"{SENTENCE}.")
    spoken = [label for label in found.labels if label != "SIL"]
    # "water" has two pronunciations in the dictionary, "your" three.
    assert spoken[:5] == ["SH", "IY", "HH", "AE", "D"] and len(spoken) in (28, 29, 30)
    seconds = len(sentence) / 16_000
    assert found.starts[0] == 0 and found.ends[-1] == seconds
    assert np.array_equal(found.ends[:-1], found.starts[1:])
    assert found.labels[0] == found.labels[-1] == "SIL"
    assert found.ends[0] == pytest.approx(0.5, abs=0.15)
    assert found.at(np.array([0.1, seconds - 0.1])) == ["SIL", "SIL"]


def test_one_alignment_does_not_depend_on_another(aligner, sentence):
    before = aligner(sentence, SENTENCE)
    aligner(0.1 * sentence[: len(sentence) // 2], "she had")
    again = aligner(sentence, SENTENCE)
    assert again.labels == before.labels and np.array_equal(again.starts, before.starts)


@pytest.mark.parametrize(
    "words, reason",
    [
        ("", "no words"),
        ("she hadde", "dictionary"),
        ("she had 2", "dictionary"),
        ("she had your dark suit in greasy wash water all year " * 9, "do not fit"),
    ],
)
def test_what_cannot_be_aligned_has_a_reason(aligner, sentence, words, reason):
    with pytest.raises(NotAligned, match=reason):
        aligner(sentence, words)


def test_silence_is_not_aligned(aligner):
    with pytest.raises(NotAligned, match="silent"):
        aligner(np.zeros(16_000, np.float32), "she had")


def test_utterances_are_aligned_and_kept(aligner, make_audio, tmp_path):
    path = make_audio("in/1.wav", 1.0)
    wanted = Utterance("anna", "1", path)
    align = TranscriptAligner({path: "oh"}, tmp_path / "kept")
    found = align(wanted)
    assert {"OW"} <= set(found.labels) <= {"OW", "SIL"}
    assert AlignmentFolder(tmp_path / "kept")(wanted).labels == found.labels
    with pytest.raises(NotAligned, match="no transcript"):
        align(Utterance("anna", "2", tmp_path / "2.wav"))


def test_recordings_that_are_unreadable_or_long(aligner, make_audio, tmp_path):
    long, broken = make_audio("long.wav", 61.0), tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    align = TranscriptAligner({long: "oh", broken: "oh"})
    for path, reason in ((long, "longer than 60 s"), (broken, "cannot be read")):
        with pytest.raises(NotAligned, match=reason):
            align(Utterance("anna", path.stem, path))


def test_without_pocketsphinx(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(InputError, match=r"vqspeech\[eval\]"):
        ForcedAligner()
