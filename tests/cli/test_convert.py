import numpy as np
import pytest
import soundfile


@pytest.fixture
def anna(tiny_model):
    return ["--model", tiny_model, "--speaker", "anna"]


@pytest.mark.parametrize("name", ["out.wav", "out.flac"])
def test_a_file(cli, anna, make_audio, tmp_path, name):
    source, out = make_audio("in.flac", seconds=0.3), tmp_path / name
    result = cli("convert", source, out, *anna)
    assert (result.status, result.out) == (0, "")
    assert result.err[-1] == f"vqspeech: wrote {out} (0.30 s)"
    assert soundfile.info(out).frames == 4800
    rms = [np.sqrt(np.mean(soundfile.read(path)[0] ** 2)) for path in (source, out)]
    assert rms[1] == pytest.approx(rms[0], rel=0.3)


def test_a_preview_says_so_and_options_are_passed_on(cli, anna, make_audio, tmp_path, monkeypatch):
    from vqspeech.synthesis.conversion import Converter

    arguments = ["convert", make_audio(), tmp_path / "out.wav", *anna, "--preview"]
    assert "PREVIEW by Griffin-Lim" in cli(*arguments).err[-1]
    passed = []

    def convert_file(converter, source, path, speaker, how, progress):
        passed.append((how.pitch, how.guidance))
        return 8000

    monkeypatch.setattr(Converter, "file", convert_file)
    for pitch in ("target", "keep", "-5"):
        assert cli(*arguments, f"--pitch={pitch}").status == 0
    assert cli(*arguments, "--guidance", "1.5").status == 0
    assert passed == [("target", None), ("keep", None), (-5.0, None), ("target", 1.5)]


def test_a_folder_is_mirrored(cli, anna, make_audio, tmp_path):
    make_audio("in/a.wav")
    make_audio("in/deep/b.flac")
    (tmp_path / "in" / "bad.wav").write_bytes(b"no audio")
    options = [*anna, "--preview", "--format", "flac"]
    result = cli("convert", tmp_path / "in", tmp_path / "out", *options)
    assert result.status == 2 and "bad.wav" in result.err[-2] and "1 of 3" in result.err[-1]
    out = tmp_path / "out"
    found = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert found == ["a.flac", "deep/b.flac"]


def test_voices_are_listed(cli, tiny_model):
    result = cli("convert", "--list", "--model", tiny_model)
    assert result.status == 0 and result.out == cli("speakers", "--model", tiny_model).out
    rows = cli("speakers", "--model", tiny_model, "--gender", "f", "--sort", "minutes").out
    assert [line.split()[0] for line in rows.splitlines()] == ["name", "anna"]
    rows = cli("speakers", "--model", tiny_model, "--min-minutes", "10", "--sort", "minutes").out
    assert [line.split()[0] for line in rows.splitlines()] == ["name", "other", "anna"]


def test_no_voice_left(refused, tiny_model):
    refused(["speakers", "--model", tiny_model, "--min-minutes", "50"], "at most 40.0")
    refused(["speakers", "--model", tiny_model, "--gender", "x"], "--gender")


def test_what_is_refused(refused, anna, tiny_model, make_audio, tmp_path):
    source, out = make_audio(), tmp_path / "out.wav"
    refused(["convert", source, *anna], "OUT missing")
    refused(["convert", source, out, "--model", tiny_model], "--speaker")
    refused(["convert", source, out, "--model", tiny_model, "--speaker", "Ana"], "anna")
    refused(["convert", source, out, "--model", tiny_model, "--speaker", "x.safetensors"], "voice")
    refused(["convert", source, source, *anna], "source itself")
    refused(["convert", tmp_path, tmp_path, *anna], "source itself")
    refused(["convert", source, out, *anna, "--preview", "--temperature", 1], "--temperature")
    refused(["convert", source, out, *anna, "--format", "wav"], "--format")
    refused(["convert", source, out, *anna, "--pitch", "99"], "--pitch")
    refused(["convert", source, out, *anna, "--guidance", "-1"], "--guidance")
    refused(["convert", tmp_path / "none.wav", out, *anna], "no such file")
    refused(["convert", source, tmp_path / "out.mp3", *anna], "out.mp3")


def test_an_enrolled_voice(cli, anna, refused, tiny_model, make_audio, tmp_path, monkeypatch):
    from vqspeech.synthesis import enrolment

    monkeypatch.setattr(enrolment, "MEL_STEPS", 3)
    monkeypatch.setattr(enrolment, "NATS_STEPS", 1)
    speech, voice = make_audio("long.wav", seconds=9), tmp_path / "eva.safetensors"
    result = cli("enroll", "Eva", speech, "--out", voice, "--model", tiny_model)
    assert result.status == 0, result.err
    assert "held-out check" in result.err[0] and "(Eva, fitted on" in result.err[-1]
    again = cli("enroll", "Eva", tmp_path, speech, "--out", voice, "--model", tiny_model)
    assert f"left out {speech}: it is given twice, and heard once" in again.err[1]
    assert again.err[2:] == result.err
    for verb, source in (("convert", make_audio()), ("decode", tmp_path / "codes.npy")):
        np.save(tmp_path / "codes.npy", np.array([0, 1, 2], np.uint16))
        out = tmp_path / f"{verb}.wav"
        options = ["--model", tiny_model, "--speaker", voice, "--preview"]
        assert cli(verb, source, out, *options).status == 0 and out.exists()
    out = tmp_path / "new.safetensors"
    refused(["enroll", "Eva", make_audio(), "--out", out, "--model", tiny_model], "too little")
    refused(["enroll", "", speech, "--out", out, "--model", tiny_model], "name")
    refused(["enroll", "Eva", speech, "--out", tmp_path / "v.wav", "--model", tiny_model], "v.wav")
    refused(["enroll", "Eva", speech, "--model", tiny_model], "--out")
