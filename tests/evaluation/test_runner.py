import json
import sys

import numpy as np
import pytest
import soundfile
from synthetic_voice import RATE, sung

from vqspeech.data.corpus import find_utterances
from vqspeech.errors import InputError
from vqspeech.evaluation import runner
from vqspeech.evaluation.runner import evaluate

QUICK = {"groups": ("mel",), "jobs": 0}


@pytest.fixture
def corpus(tmp_path):
    """Two utterances of anna, whom the model knows, and one of zoe, whom it does not."""
    for i, name in enumerate(("anna/1", "anna/2", "zoe/1")):
        path = tmp_path / "corpus" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sung(0.8 + 0.2 * i, seed=i)[0], RATE)
    return find_utterances(tmp_path / "corpus")


def test_every_utterance_goes_through_every_method(codec, corpus):
    report = evaluate(codec, corpus, ("original", "preview", "wavenet"), seed=7, **QUICK)
    assert [row["utterance"] for row in report.rows] == ["1", "2", "1"]
    assert [call.preview for call in codec.calls] == [True, False] * 3
    assert {call.seed for call in codec.calls} == {7}
    found = report.averages()
    assert found["original"]["mel_distance"].mean == 0
    assert found["wavenet"]["mel_distance"].mean < found["preview"]["mel_distance"].mean
    assert found["preview"]["mel_distance"].count == 3


def test_speakers_keep_their_identity_and_unknown_ones_get_the_stand_in(codec, corpus):
    report = evaluate(codec, corpus, ("preview",), **QUICK)
    assert [call.speaker for call in codec.calls] == ["anna", "anna", "other"]
    assert report.about["unknown_speaker_utterances"] == 1
    evaluate(codec, corpus, ("preview",), speaker="bert", **QUICK)
    assert codec.calls[-1].speaker == "bert"
    codec.speakers = ("bert", "carl")
    evaluate(codec, corpus, ("preview",), **QUICK)
    assert codec.calls[-1].speaker == "bert"


def test_codes_are_counted_over_all_files(codec, corpus):
    codes = evaluate(codec, corpus, ("preview",), **QUICK).codes
    assert (codes["used"], codes["dead"], codes["codebook_size"]) == (8, 8, 16)
    assert codes["perplexity"] == pytest.approx(8, rel=0.01)
    assert codes["bits_per_second"] == pytest.approx(4 * 50)


def test_nats_are_measured_with_the_wavenet_only(codec, corpus):
    nats = evaluate(codec, corpus, ("wavenet",), **QUICK).nats
    assert nats == pytest.approx({"right": 3.0, "shuffled": 3.5, "difference": 0.5})
    assert evaluate(codec, corpus, ("preview",), **QUICK).nats == {}


def test_transcripts_reach_the_recogniser(codec, corpus, monkeypatch):
    pytest.importorskip("pocketsphinx")
    from vqspeech.evaluation import words

    monkeypatch.setattr(words, "recognise", lambda samples: ["yes"])
    said = {corpus[0].path: "YES NO"}
    options = {"groups": ("words",), "jobs": 0}
    report = evaluate(codec, corpus, ("preview",), transcripts=said, **options)
    assert report.averages()["preview"]["words_right"][::2] == (50, 1)
    assert report.averages()["preview"]["words_kept"][::2] == (100, 3)


def test_unreadable_files_are_listed(codec, corpus):
    corpus[1].path.write_bytes(b"not audio")
    report = evaluate(codec, corpus, ("preview",), **QUICK)
    assert report.about["utterances"] == 2
    assert report.skipped[0][0] == str(corpus[1].path)
    assert str(corpus[1].path) in report.to_markdown()


def test_nothing_readable_is_refused(codec, corpus):
    for utterance in corpus:
        utterance.path.write_bytes(b"not audio")
    with pytest.raises(InputError, match="none of 3 recordings"):
        evaluate(codec, corpus, ("preview",), **QUICK)
    with pytest.raises(InputError, match="none of 0 recordings"):
        evaluate(codec, [], ("preview",), **QUICK)


def test_long_recordings_are_cut_and_their_transcript_is_not_used(codec, corpus, monkeypatch):
    monkeypatch.setattr(runner, "MAX_SECONDS", 0.9)
    seen = []
    tasks = runner._Run.tasks

    def watched(*args):
        for task in tasks(*args):
            seen.append(task)
            yield task

    monkeypatch.setattr(runner._Run, "tasks", watched)
    said = {utterance.path: "A" for utterance in corpus}
    report = evaluate(codec, corpus, ("preview",), transcripts=said, **QUICK)
    assert [len(task.reference) for task in seen] == [12_800, 14_400, 14_400]
    assert [task.transcript for task in seen] == ["A", None, None]
    assert report.about["cut_to_first_minute"] == 2


def test_silence_and_one_sample_are_evaluated(codec, tmp_path):
    (tmp_path / "anna").mkdir()
    soundfile.write(tmp_path / "anna" / "one.wav", np.zeros(1), RATE)
    soundfile.write(tmp_path / "anna" / "silent.wav", np.zeros(RATE), RATE)
    report = evaluate(codec, find_utterances(tmp_path), ("original", "wavenet"), **QUICK)
    assert report.averages()["wavenet"]["mel_distance"].count == 0
    assert report.nats == {}
    json.dumps(report.to_dict(), allow_nan=False)
    assert "50" in report.to_markdown()


@pytest.mark.parametrize(
    "options, words",
    [
        ({"methods": ("melody",)}, "no method 'melody'; choose from original, preview, wavenet"),
        ({"methods": ()}, "at least one method"),
        ({"methods": ("preview", "preview")}, "each once"),
        ({"groups": ("mos",)}, "no metric 'mos'"),
        ({"speaker": "zoe"}, "no speaker 'zoe'"),
    ],
)
def test_impossible_options_are_refused(codec, corpus, options, words):
    with pytest.raises(InputError, match=words):
        evaluate(codec, corpus, **{"jobs": 0, "groups": ("mel",)} | options)
    assert codec.calls == []


def test_a_missing_package_is_said_before_the_work(codec, corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(InputError, match=r"pip install 'vqspeech\[eval\]'.*pocketsphinx"):
        evaluate(codec, corpus, ("preview",), groups=("mel", "words"), jobs=0)
    assert codec.calls == []


def test_the_same_seed_gives_the_same_report(codec, corpus):
    one, two = (evaluate(codec, corpus, ("preview",), **QUICK).to_dict() for _ in range(2))
    assert one["averages"] == two["averages"]
    assert one["utterances"] == two["utterances"]
