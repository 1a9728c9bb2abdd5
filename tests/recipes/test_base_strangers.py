"""recipes/base/strangers.py: conversion to voices that were made, so that none was trained on."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from vqspeech.audio.pitch import median_f0
from vqspeech.checkpoint.voices import Voice
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError

pytest.importorskip("resemblyzer")


class Mimic:
    """A codec that keeps what it hears of a voice, and converts to it by playing that."""

    name, fingerprint = "mimic", "00ff"
    config = SimpleNamespace(conversion=SimpleNamespace(guidance=1.5))

    def __init__(self):
        self.heard, self.asked = {}, []

    def voice_of(self, wave, name=""):
        self.heard[name] = wave
        return Voice(name, np.zeros(4, np.float32), self.fingerprint, 5.0)

    def convert(self, wave, speaker, guidance, preview, seed):
        self.asked.append((speaker.name, guidance, preview))
        target = np.resize(self.heard[speaker.name], len(wave))
        return target if guidance else wave


@pytest.fixture
def script(base_script, monkeypatch):
    made, codec = base_script("strangers"), Mimic()
    monkeypatch.setattr(made, "codec_of", lambda model: codec)
    monkeypatch.setattr(made, "workers", lambda jobs: ThreadPoolExecutor(1))
    monkeypatch.setattr(made, "SECONDS", (1.7, 5.0))
    monkeypatch.setattr(made, "HEARD_SECONDS", 1.7)
    monkeypatch.setattr(made, "KNOWN_SECONDS", 1.7)
    return made


def start(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["strangers.py", *map(str, arguments)])
    script.main()


def test_a_row_for_each_guidance(script, packed_voices, monkeypatch, capfd):
    arguments = ["--guidance", 0, "--guidance", 2, "--voices", 2, "--utterances", 2]
    start(script, monkeypatch, packed_voices, *arguments)
    said = capfd.readouterr().out.splitlines()
    assert said[0] == "mimic 00ff, preview, 2 voices"
    head, _, *rows = (line.strip("| ").split(" | ") for line in said[2:])
    assert head[0] == "guidance" and len(head) == 5, "without --whisper no words"
    (same, *own), (other, *theirs) = rows
    assert (same, own[0], own[2]) == ("0", "0", "1.00"), "nothing was converted"
    assert (other, theirs[0], theirs[3]) == ("2", "100", "100"), "the voice itself was played"
    assert float(theirs[1]) > float(own[1]) and float(theirs[2]) < 1
    asked = script.codec_of("").asked
    assert len(asked) == 8 and {name for name, *_ in asked} == set(script.codec_of("").heard)


def test_without_a_wish_the_models_own_guidance_is_taken(script, packed_voices, monkeypatch, capfd):
    start(script, monkeypatch, packed_voices, "--voices", 1, "--utterances", 1)
    assert capfd.readouterr().out.splitlines()[-1].startswith("| 1.5 | 100 |")


def test_strangers_are_higher_or_lower_by_their_speed(script, packed_voices):
    corpus = PackedCorpus(packed_voices)
    found = list(script.strangers(corpus, "", 2, seed=0))
    assert len({target.name.split(" x ")[0] for target in found}) == 2
    for target in found:
        name, speed = target.name.split(" x ")
        rows = [
            row
            for row in corpus.rows("train")
            if corpus.speakers[corpus.index["utterances"]["speaker"][row]] == name
        ]
        wave = corpus.audio(int(rows[0])).astype(np.float32) / 32768
        assert target.f0 == pytest.approx(median_f0(wave) * float(speed), rel=0.03)


def test_too_little_speech_is_one_line(script, packed_voices, monkeypatch):
    monkeypatch.setattr(script, "KNOWN_SECONDS", 500.0)
    with pytest.raises(InputError, match="no speaker has 5"):
        start(script, monkeypatch, packed_voices)
