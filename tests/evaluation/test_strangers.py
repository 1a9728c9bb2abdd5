from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic_voice import RATE, sung

from vqspeech.data.corpus import Utterance
from vqspeech.evaluation.strangers import choose_strangers, meet


def utterance(speaker, gender="", split=""):
    return Utterance(speaker, "1", Path(speaker, "1.wav"), gender, split)


MANY = [*(utterance(f"f{i}", "f") for i in range(9)), *(utterance(f"m{i}", "m") for i in range(4))]


def test_women_and_men_in_turn_drawn_by_a_seed():
    chosen = choose_strangers(MANY, [], 6)
    assert [name[0] for name in chosen] == ["f", "f", "f", "m", "m", "m"]
    assert choose_strangers(MANY[::-1], [], 6) == chosen
    assert len({tuple(choose_strangers(MANY, [], 6, seed)) for seed in range(9)}) > 1
    assert choose_strangers(MANY, [], 99) == sorted(one.speaker for one in MANY)
    assert choose_strangers(MANY, [], 0) == [] == choose_strangers([], [], 6)


@pytest.mark.parametrize("split", ["train", "train-single"])
def test_nobody_of_the_training_is_a_stranger(split):
    voices = [utterance("anna"), utterance("zoe", "f"), utterance("yves", "m", "eval-unseen")]
    voices += [utterance("xaver", "m", split), utterance("xaver", "m", "eval-unseen")]
    assert choose_strangers(voices, ["anna", "bert"]) == ["yves", "zoe"]


def write(folder, **seconds):
    """Recordings of one pitch each, called by it: a100=4.0 sings 4 s at 100 Hz."""
    paths = [folder / f"{name}.wav" for name in seconds]
    for path, length in zip(paths, seconds.values(), strict=True):
        f0 = float(path.stem[1:])
        soundfile.write(path, sung(length, f0, f0, pauses=False)[0], RATE)
    return paths


def test_five_seconds_are_heard_and_others_judge(codec, tmp_path):
    paths = write(tmp_path, a100=5.0, b200=4.0)
    target = meet(codec, "zoe", paths, ("f0",))
    [(name, heard)] = codec.heard
    assert (name, len(heard)) == ("zoe", 80_000) == (target.speaker.name, 5 * RATE)
    assert target.f0 == pytest.approx(200, rel=0.03), "of the speech that the model did not hear"
    assert (target.name, target.voice.seconds) == ("zoe", 5.0)


@pytest.mark.parametrize("rest", [{}, {"b200": 1.0}])
def test_without_enough_other_speech_what_was_heard_judges(codec, tmp_path, rest):
    target = meet(codec, "zoe", write(tmp_path, a100=5.0, **rest), ("f0",))
    assert target.f0 == pytest.approx(100, rel=0.03)


def test_a_short_recording_is_heard_as_far_as_it_goes(codec, tmp_path):
    paths = [tmp_path / "none.wav", *write(tmp_path, a100=2.0, a110=1.0)]
    assert meet(codec, "zoe", paths, ()).voice.seconds == 3.0


def test_silence_is_nobody(codec, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(6 * RATE), RATE)
    assert meet(codec, "zoe", [tmp_path / "silence.wav"], ("f0",)) is None
    assert meet(codec, "zoe", [], ("f0",)) is None and codec.heard == []
