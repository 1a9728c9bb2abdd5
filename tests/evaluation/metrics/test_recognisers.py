import sys

import numpy as np
import pytest

from vqspeech.errors import InputError
from vqspeech.evaluation.metrics.recognisers import Recogniser, choose


def names(*asked):
    return [one.name for one in choose(*asked)[0]]


def test_pocketsphinx_alone_unless_more_is_asked_for(whisper):
    assert names() == ["pocketsphinx"]
    assert names(None, whisper.folder) == ["pocketsphinx", "whisper"]
    assert names(["whisper"], whisper.folder) == ["whisper"]
    assert names(["whisper", "pocketsphinx"], whisper.folder) == ["whisper", "pocketsphinx"]
    assert choose(None, whisper.folder)[1] is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ((["sphinx"],), "no recogniser 'sphinx'.*pocketsphinx, whisper"),
        (([],), "at least one recogniser"),
        ((["whisper", "whisper"],), "each once"),
        ((["pocketsphinx"], "FOLDER"), "--recogniser whisper"),
        ((["whisper"], "/nowhere"), "/nowhere: no such folder.*no network"),
        ((["whisper"],), "base: no such folder.*give the folder"),
        ((None, "."), r"\.: holds no Whisper model.*model.bin"),
    ],
)
def test_impossible_choices_are_refused(whisper, asked, words):
    asked = [whisper.folder if one == "FOLDER" else one for one in asked]
    with pytest.raises(InputError, match=words) as found:
        choose(*asked)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("asked", [["whisper"], ["whisper", "pocketsphinx"], None])
def test_where_whisper_is_not_installed_pocketsphinx_hears(monkeypatch, asked):
    """Said once, and heard once."""
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    found, note = choose(asked, "/any/folder")
    assert found == (Recogniser(),)
    assert "pip install 'vqspeech[eval]'" in note and "pocketsphinx" in note


def test_what_cannot_hear_says_so_before_the_work(whisper, monkeypatch):
    Recogniser("whisper", whisper.folder).check()
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(InputError, match="pocketsphinx"):
        Recogniser().check()
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(InputError, match=r"vqspeech\[eval\].*faster_whisper"):
        Recogniser("whisper", whisper.folder).check()


def test_each_hears_with_its_own_ears(whisper, voice, monkeypatch):
    monkeypatch.setattr("vqspeech.evaluation.metrics.words.recognise", lambda x: ["no"])
    both, _ = choose(None, whisper.folder)
    assert [one.hear(voice) for one in both] == [["no"], ["yes"]]
    assert both[1].hear(np.zeros(16_000, np.float32)) == []
