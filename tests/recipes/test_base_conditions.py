"""recipes/base/conditions.py: what each condition does to a recording, and the table."""

import sys

import numpy as np
import pytest
import soundfile
from synthetic_voice import RATE, sung

from vqspeech.audio import ffmpeg
from vqspeech.audio.level import rms
from vqspeech.codes.codes import Codes
from vqspeech.errors import InputError

needs_ffmpeg = pytest.mark.skipif(not ffmpeg.available(), reason="ffmpeg is not installed")


@pytest.fixture(scope="module")
def script(base_script):
    return base_script("conditions")


def tones(*hertz, seconds=1.0):
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * sum(np.sin(2 * np.pi * f * time) for f in hertz)).astype(np.float32)


def power_at(wave, hertz):
    """Amplitude of a tone in a wave of a second."""
    return 2 * np.abs(np.fft.rfft(wave)[hertz]) / len(wave)


def test_a_telephone_leaves_its_band_in_place(script):
    wave = tones(100, 1000, 6000)
    heard = script.telephone(wave)
    assert heard.shape == wave.shape and heard.dtype == np.float32
    assert power_at(heard, 1000) == pytest.approx(0.1, rel=0.05)
    assert power_at(heard, 100) < 0.005 and power_at(heard, 6000) < 0.002
    inside = tones(1000)[2000:-2000]
    lags = [float(heard[2000 + lag : lag - 2000] @ inside) for lag in range(-8, 9)]
    assert np.argmax(lags) == 8, "no delay"


@pytest.mark.parametrize("samples", [1, 7, 30, 161])
def test_a_telephone_takes_any_length(script, samples):
    assert script.telephone(np.full(samples, 0.1, np.float32)).shape == (samples,)
    assert not script.telephone(np.zeros(samples, np.float32)).any()


def test_babble_is_ten_decibels_below(script, voice_waves):
    wave, *others = voice_waves
    heard = script.babble(wave, [others[0], 20 * others[1][:5000]])
    assert heard.shape == wave.shape
    assert 20 * np.log10(rms(wave) / rms(heard - wave)) == pytest.approx(10, abs=0.01)
    # Loud ones are no louder than others.
    parts = np.corrcoef([heard - wave, np.resize(others[0], len(wave))])[0, 1]
    assert 0.5 < parts < 0.9


@needs_ffmpeg
def test_a_phones_recording_stays_in_place(script, voice_waves):
    wave = voice_waves[0]
    heard = script.m4a(wave)
    assert heard.shape == wave.shape and not np.array_equal(heard, wave)
    inside = wave[2000:-2000]
    lags = [float(heard[2000 + lag : lag - 2000] @ inside) for lag in range(-8, 9)]
    assert np.argmax(lags) == 8 and np.corrcoef(heard, wave)[0, 1] > 0.9


@pytest.fixture(scope="module")
def voice_waves():
    return [sung(1.2, seed=seed)[0] for seed in range(3)]


@pytest.fixture(scope="module")
def speech(tmp_path_factory, voice_waves):
    """Recordings of anna, whom the models know, and of zoe and yves."""
    root = tmp_path_factory.mktemp("speech")
    lines = ["split\tspeaker\tfile"]
    for name, wave in zip(("anna", "yves", "zoe"), voice_waves, strict=True):
        soundfile.write(root / f"{name}.wav", wave, RATE)
        lines.append(f"eval-unseen\t{name}\t{name}.wav")
    lines.append("lone\tzoe\tzoe.wav")
    (root / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def started(script, speech, monkeypatch):
    """started(capsys, *arguments): what the script says, with a recogniser that hears two words in
    everything."""
    from vqspeech.evaluation.metrics import words

    monkeypatch.setattr(words, "recognise", lambda x: ["yes", "no"])

    def start(capsys, *arguments):
        given = ["conditions.py", "--speech", speech, "--jobs", 0, *arguments]
        monkeypatch.setattr(sys, "argv", list(map(str, given)))
        script.main()
        return capsys.readouterr()

    return start


@needs_ffmpeg
def test_one_table(started, capsys, tiny_model, hearing_model):
    out, err = started(capsys, tiny_model, hearing_model)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines()]
    assert lines[0] == ["model", "condition", "words kept (pocketsphinx), % of 6", "codes kept, %"]
    models = ["original", str(tiny_model), str(hearing_model)]
    conditions = ["as it was", "telephone", "m4a", "babble"]
    assert [line[:2] for line in lines[2:]] == [[m, c] for m in models for c in conditions]
    assert lines[2][2:] == ["100.0", "-"] and {line[2] for line in lines[2:]} == {"100.0"}
    kept = {tuple(line[:2]): float(line[3]) for line in lines[6:]}
    for model in models[1:]:
        assert kept[model, "as it was"] == 100
        assert all(0 <= kept[model, condition] <= 100 for condition in conditions)
    assert "left out" not in err


class Loudness:
    """Stands for a codec: a code says whether its frame is loud, and decoding knows who speaks."""

    speakers = ("anna",)

    def __init__(self):
        self.decoded = []

    def encode(self, wave):
        frames = wave[: len(wave) // 320 * 320].reshape(-1, 320)
        codes = (np.abs(frames).max(1) > 0.1).astype(np.uint16)
        return Codes(codes, 320 * len(codes), 320)

    def decode(self, codes, speaker, preview):
        self.decoded.append((speaker, preview))
        return np.repeat(codes.indices, 320).astype(np.float32)


def test_words_and_codes_are_those_of_the_recording_as_it_was(script, monkeypatch):
    class Ears:
        def hear(self, x):
            return ["loud" if one else "quiet" for one in np.abs(x[::4000]) > 0.05]

    codec = Loudness()
    monkeypatch.setattr(script, "codec_of", lambda model: codec)
    clean, crowd = np.zeros(16_000, np.float32), np.ones(16_000, np.float32)
    clean[:8000] = 1
    how = script.How(("fake",), ("as it was", "babble"), (Ears(),))
    found = script.measure(script.Job(clean, [crowd], "anna"), how)
    assert found["original", "as it was"] == script.Row([script.Kept(4, 4)])
    assert found["original", "babble"] == script.Row([script.Kept(2, 4)])
    assert found["fake", "as it was"] == script.Row([script.Kept(4, 4)], script.Kept(50, 50))
    assert found["fake", "babble"] == script.Row([script.Kept(2, 4)], script.Kept(25, 50))
    assert codec.decoded == [("anna", True)] * 2


def test_without_ffmpeg_there_is_a_line_instead(started, capsys, tiny_model, monkeypatch):
    monkeypatch.setattr(ffmpeg, "available", lambda: False)
    out, err = started(capsys, tiny_model, "--utterances", 1)
    assert "m4a was left out: ffmpeg is not installed" in err
    assert "| m4a |" not in out and out.count("| telephone |") == 2


def test_who_speaks(script, hearing_model, tiny_model):
    from shared import codec_of

    for model, own in ((tiny_model, "other"), (hearing_model, None)):
        codec = codec_of(str(model))
        assert script.speaker_of(codec, "anna") == "anna"
        assert script.speaker_of(codec, "zoe") == own


def test_babble_needs_others(started, capsys, tiny_model):
    for split in ("lone", "nothing"):
        with pytest.raises(InputError, match=f"split '{split}' has no two speakers"):
            started(capsys, tiny_model, "--split", split)


def test_sums(script):
    Kept, Row = script.Kept, script.Row  # noqa: N806
    one, two = Row([Kept(1, 2), Kept(3, 4)], Kept(5, 6)), Row([Kept(0, 0), Kept(1, 1)], Kept(1, 9))
    assert script.total([one, two]) == Row([Kept(1, 2), Kept(4, 5)], Kept(6, 15))
