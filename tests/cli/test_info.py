import builtins
import json
import os

import numpy as np
import pytest


def facts(text):
    """{name: value} of the lines "name:  value"."""
    pairs = (line.split(":", 1) for line in text.splitlines())
    return {name: value.strip() for name, value in pairs}


def test_speakers_as_a_table(cli, tiny_model):
    result = cli("speakers", "--model", tiny_model)
    assert result.status == 0 and result.err == []
    rows = [line.split() for line in result.out.splitlines()]
    assert rows == [
        ["name", "gender", "minutes"],
        ["anna", "f", "12.5"],
        ["bert", "m", "3.2"],
        ["other", "-", "40.0"],
    ]


def test_speakers_as_json(cli, tiny_model):
    result = cli("speakers", "--model", tiny_model, "--json")
    rows = json.loads(result.out)
    assert rows[0] == {"name": "anna", "gender": "f", "minutes": 12.5} and len(rows) == 3


def test_codes(cli, tiny_model, tmp_path):
    path = tmp_path / "codes.npy"
    np.save(path, np.array([1, 1, 2, 2] * 25, np.uint16))
    result = cli("info", path, "--model", tiny_model)
    assert result.status == 0 and result.err == []
    found = facts(result.out)
    assert found["frames"] == "100" and found["seconds"] == "2.00"
    assert found["bit rate"] == "100 bit/s"
    assert found["codes used"] == "2 of 4 (perplexity 2)"
    assert found["range"] == "1 to 2"


def test_audio(cli, make_audio):
    result = cli("info", make_audio("a.flac", seconds=1.5, rate=44_100))
    assert result.status == 0 and result.err == []
    found = facts(result.out)
    assert found["rate"] == "44100 Hz" and found["channels"] == "1"
    assert found["seconds"] == "1.50" and found["format"] == "FLAC/PCM_16"
    assert found["level"].startswith("-24."), "of what white noise at -20 dB has below 8 kHz"


def test_a_model(cli, tiny_model):
    for arguments in (["info", tiny_model], ["info", "--model", tiny_model]):
        result = cli(*arguments)
        assert result.status == 0 and result.err == []
        found = facts(result.out)
        about = json.loads((tiny_model / "config.json").read_text())
        assert found["model"] == "tiny" and found["fingerprint"] == about["fingerprint"]
        assert found["hop"] == "320 samples at 16000 Hz (50 codes/s)"
        assert found["codes"] == "4" and found["bit rate"] == "100 bit/s"
        assert found["speakers"].startswith("3 ")
        assert "16 steps" in found["receptive field"]
        assert found["trained"] == "codes 10 steps, waveform 10 steps"
        assert int(found["parameters"].replace(",", "")) > 1000


def test_a_model_that_would_say_nothing(cli, refused, tiny_model, make_audio, tmp_path):
    model, vqs = ["--model", tiny_model], tmp_path / "x.vqs"
    assert cli("encode", make_audio(), vqs, *model).status == 0
    for file in (vqs, tmp_path / "in.wav"):
        refused(["info", file, *model], file, "leave out --model")
    refused(["info", tiny_model, *model], "leave out one of them")


def test_bad_files(refused, tiny_model, tmp_path):
    refused(["info", tmp_path / "none.wav"], "no such file")
    refused(["info", tmp_path / "none.npy", "--model", tiny_model], "no such file")
    refused(["info", tmp_path], "not a model")
    refused(["speakers", "--model", tmp_path / "none"], "no such model")


@pytest.mark.parametrize("name", ["a.wav", "a.npy", "a.vqs", "a"])
def test_no_permission(refused, tiny_model, tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_bytes(b"content")
    before = builtins.open

    def forbidden(file, *arguments, **options):
        if file == str(path):
            raise PermissionError(13, "Permission denied", file)
        return before(file, *arguments, **options)

    monkeypatch.setattr(builtins, "open", forbidden)
    refused(["info", path, "--model", tiny_model], path, "no permission")


def test_a_model_that_may_not_be_looked_at(refused, tmp_path, monkeypatch):
    """In a folder of mode 444."""
    folder = tmp_path / "model"
    folder.mkdir()
    before = os.stat, builtins.open

    def forbidden(which):
        def call(path, *arguments, **options):
            if isinstance(path, int) or not os.fspath(path).startswith(f"{folder}{os.sep}"):
                return before[which](path, *arguments, **options)
            raise PermissionError(13, "Permission denied", path)

        return call

    monkeypatch.setattr(os, "stat", forbidden(0))
    monkeypatch.setattr(builtins, "open", forbidden(1))
    refused(["info", folder], folder, "is not a model")
