import math

import numpy as np
import pytest
import soundfile
from synthetic_voice import RATE, sung

from vqspeech.checkpoint.speakers import Speaker
from vqspeech.evaluation import converted
from vqspeech.evaluation.converted import Target, choose_targets, know, score_converted
from vqspeech.evaluation.metrics import words
from vqspeech.evaluation.metrics.scores import Signal

TABLE = [
    *(Speaker(f"f{i}", "f", 8.0) for i in range(5)),
    *(Speaker(f"m{i}", "m", 8.0) for i in range(2)),
    Speaker("brief", "m", 1.0),
    Speaker("other", "", 99.0),
]
ALL = [speaker.name for speaker in TABLE]


def test_targets_are_women_and_men_with_enough_speech():
    targets, enough = choose_targets(TABLE, ALL)
    assert [name[0] for name in targets] == ["f", "f", "f", "m", "m"]
    assert enough == ALL[:-2]
    assert choose_targets(TABLE, ALL) == (targets, enough)
    assert len({tuple(choose_targets(TABLE, ALL, seed=seed)[0]) for seed in range(9)}) > 1


def test_who_is_neither_is_a_target_where_all_are():
    crowd = Speaker("crowd", "", 50.0)
    assert choose_targets([*TABLE, crowd], [*ALL, "crowd"])[0] == choose_targets(TABLE, ALL)[0]
    nameless = [Speaker(name, "", 8.0) for name in "abcd"]
    assert len(choose_targets(nameless, "abcd")[0]) == 3


def test_only_voices_with_recordings_are_targets_and_short_ones_if_there_is_no_other():
    assert choose_targets(TABLE, ["brief", "other", "zoe"])[0] == ["brief"]
    assert choose_targets(TABLE, ["brief", "m1"])[0] == ["m1"]
    assert choose_targets(TABLE, [])[0] == []


def test_a_target_is_known_by_its_pitch(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, sung(1.0, 200, 200, pauses=False)[0], RATE)
    found = know("a", [tmp_path / "none.wav", path], ("f0",))
    assert found.name == "a" and found.embedding is None
    assert found.f0 == pytest.approx(200, rel=0.02)
    assert know("a", [tmp_path / "none.wav"], ("f0",)) is None


def test_reference_speech_is_bounded(tmp_path):
    soundfile.write(tmp_path / "a.wav", sung(0.1)[0], RATE)
    assert len(converted.real_speech([tmp_path / "a.wav"] * 9, 0.15)) == 3200


def test_pitch_is_compared_with_the_target():
    low, high = (sung(1.0, f0, f0, pauses=False)[0] for f0 in (110, 220))
    target = Target("high", None, 220.0)
    stayed = score_converted(Signal(low), low, target, groups=("f0",))
    moved = score_converted(Signal(low), high, target, groups=("f0",))
    assert stayed["f0_off"] == pytest.approx(12, abs=0.5) and stayed["f0_within"] == 0
    assert moved["f0_off"] < 0.5 and moved["f0_within"] == 100


def test_silence_has_no_pitch_to_compare(voice):
    scores = score_converted(Signal(voice), 0 * voice, Target("x", None, 200.0), groups=("f0",))
    assert math.isnan(scores["f0_off"]) and math.isnan(scores["f0_within"])


def test_voices_are_compared_with_target_and_source(voice):
    networks = converted.networks
    other = sung(2.0, 210, 300)[0]
    target = Target("other", networks.voice_embedding(other), 250.0)
    same = score_converted(Signal(voice), voice, target, groups=("speaker",))
    changed = score_converted(Signal(voice), other, target, groups=("speaker",))
    assert same["closer_to_target"] == 0 and changed["closer_to_target"] == 100
    assert changed["target_similarity"] > same["target_similarity"]
    unknown = score_converted(Signal(voice), voice, Target("x", None, 1.0), groups=("speaker",))
    assert math.isnan(unknown["closer_to_target"])


def test_words_are_those_of_the_source(voice, monkeypatch):
    def recognise(samples):
        return ["a", "b"] if np.array_equal(samples, voice) else ["a", "x"]

    monkeypatch.setattr(words, "recognise", recognise)
    target = Target("x", None, np.nan)
    scores = score_converted(Signal(voice), voice[::-1], target, "A b", groups=("words",))
    assert scores["word_error"] == 50 and scores["words_kept"] == 50
