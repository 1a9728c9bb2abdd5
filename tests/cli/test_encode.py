import os

import numpy as np
import pytest
import soundfile

from vqspeech.codec import Codec


@pytest.fixture
def model(tiny_model):
    return ["--model", tiny_model]


def test_a_file(cli, model, tiny_model, tmp_path, make_audio):
    source, out = make_audio(seconds=0.51), tmp_path / "codes.npy"
    result = cli("encode", source, out, *model)
    assert (result.status, result.out) == (0, "")
    assert result.err == [f"vqspeech: wrote {out} (26 codes, 0.51 s, 100 bit/s)"]
    codes = np.load(out)
    assert codes.dtype == np.uint16 and codes.shape == (26,)
    expected = Codec.from_pretrained(tiny_model, device="cpu").encode_file(source)
    assert np.array_equal(codes, expected.indices)


def test_a_level_that_speech_has_not_is_one_line(cli, model, tmp_path):
    quiet, loud = tmp_path / "quiet.wav", tmp_path / "loud.wav"
    noise = np.random.default_rng(0).standard_normal(8000)
    soundfile.write(quiet, noise / 1000, 16_000, "FLOAT")
    soundfile.write(loud, noise * 1000, 16_000, "FLOAT")
    for source, words in ((quiet, "is very quiet"), (loud, "goes far beyond full scale")):
        result = cli("encode", source, tmp_path / "codes.npy", *model)
        assert result.status == 0 and len(result.err) == 2
        assert result.err[0].startswith(f"vqspeech: {source} {words}")
    result = cli("convert", quiet, tmp_path / "o.wav", "--speaker", "anna", "--preview", *model)
    assert result.status == 0 and "is very quiet" in result.err[0]


def test_channels_that_cancel_each_other_out_are_one_line(cli, model, make_audio, tmp_path):
    source, wave = tmp_path / "in.wav", soundfile.read(make_audio("mono.wav"))[0]
    soundfile.write(source, np.stack([wave, -wave], 1), 16_000)
    for verb, out in (("encode", "codes.npy"), ("convert", "out.wav --speaker anna --preview")):
        name, *options = out.split()
        result = cli(verb, source, tmp_path / name, *options, *model)
        assert result.status == 0
        cancel = [line for line in result.err if "cancel each other out" in line]
        assert len(cancel) == 1 and cancel[0].startswith(f"vqspeech: {source}: its channels")


def test_channels_are_said_once(cli, model, tmp_path):
    source = tmp_path / "in.wav"
    soundfile.write(source, np.zeros((800, 6)), 8_000)
    result = cli("encode", source, tmp_path / "codes.npy", *model)
    assert result.status == 0
    assert [line for line in result.err if "6 channels" in line] == result.err[:1]
    assert len(np.load(tmp_path / "codes.npy")) == 5


def test_one_sample(cli, model, tmp_path):
    soundfile.write(tmp_path / "in.wav", [0.5], 16_000)
    assert cli("encode", tmp_path / "in.wav", tmp_path / "codes.npy", *model).status == 0
    assert np.load(tmp_path / "codes.npy").shape == (1,)


def test_a_folder_is_mirrored(cli, model, tmp_path, make_audio):
    make_audio("in/a.wav")
    make_audio("in/deep/er/b.FLAC", format="FLAC")
    make_audio("in/.hidden/c.wav")
    make_audio("in/.d.wav")
    (tmp_path / "in" / "notes.txt").write_text("not audio")
    out = tmp_path / "new" / "out"
    result = cli("encode", tmp_path / "in", out, *model)
    assert result.status == 0
    assert result.err == [
        f"vqspeech: {tmp_path / 'in'}: left out 1 of other kinds (notes.txt), "
        "2 hidden (.d.wav, .hidden)",
        f"vqspeech: wrote 2 files to {out} (1.00 s, 100 bit/s)",
    ]
    files = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert files == ["a.npy", "deep/er/b.npy"]


def test_unreadable_files_of_a_folder_are_listed(cli, model, tmp_path, make_audio):
    make_audio("in/a.wav")
    make_audio("in/z.wav")
    (tmp_path / "in" / "bad.wav").write_bytes(b"not audio")
    (tmp_path / "in" / "empty.flac").touch()
    result = cli("encode", tmp_path / "in", tmp_path / "out", *model)
    assert result.status == 2 and len(result.err) == 3
    assert "bad.wav" in result.err[0] and "empty.flac" in result.err[1]
    assert "2 of 4 files failed (listed above), the rest is written;" in result.err[2]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.npy", "z.npy"]
    for name in "az":
        (tmp_path / f"in/{name}.wav").unlink()
    result = cli("encode", tmp_path / "in", tmp_path / "none", *model)
    assert "2 of 2 files failed (listed above), nothing was written;" in result.err[2]


def test_a_manifest(cli, model, tmp_path, make_audio):
    for name in ("a", "b", "c"):
        make_audio(f"in/{name}.wav")
    rows = ["speaker\tfile\tutterance\tsplit", "zoe\tin/a.wav\tone\tx", "zoe\tin/b.wav\t\tx"]
    (tmp_path / "list.tsv").write_text("\n".join([*rows, "abe\tin/c.wav\t\ty"]))
    out = tmp_path / "out"
    arguments = ["encode", tmp_path, out, "--manifest", "list.tsv", "--splits", "x", *model]
    assert cli(*arguments).status == 0
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.npy")) == [
        "zoe/in/b.npy",
        "zoe/one.npy",
    ]


def test_a_recording_beside_a_manifest(cli, model, tmp_path, make_audio, refused):
    """No folder of the name that was meant for its codes."""
    make_audio(tmp_path / "a.wav")
    (tmp_path / "list.tsv").write_text("speaker\tfile\nx\ta.wav\n")
    manifest = ["--manifest", tmp_path / "list.tsv"]
    refused(["encode", tmp_path / "a.wav", tmp_path / "a.npy", *manifest, *model], "is a file")
    assert not (tmp_path / "a.npy").exists()


def test_a_manifest_with_missing_files(cli, model, tmp_path, make_audio):
    make_audio("a.wav")
    (tmp_path / "list.tsv").write_text("speaker\tfile\nzoe\ta.wav\nzoe\tgone.wav\n")
    result = cli("encode", tmp_path, tmp_path / "out", "--manifest", "list.tsv", *model)
    assert result.status == 2 and "gone.wav: no such file" in result.err[0]
    assert [p.name for p in (tmp_path / "out").rglob("*.npy")] == ["a.npy"]


def test_resume_leaves_out_what_is_done(cli, model, tmp_path, make_audio):
    make_audio("in/a.wav")
    make_audio("in/b.wav", 0.3)
    out = tmp_path / "out"
    cli("encode", tmp_path / "in", out, *model)
    (out / "b.npy").unlink()
    np.save(out / "a.npy", np.zeros(1, np.uint16))
    result = cli("encode", tmp_path / "in", out, "--resume", *model)
    assert result.status == 0 and "wrote 1 files" in result.err[0]
    assert "1 were done before" in result.err[0]
    assert len(np.load(out / "a.npy")) == 1 and len(np.load(out / "b.npy")) == 15


def test_resume_encodes_anew_what_has_changed(cli, model, tmp_path, make_audio):
    sources, out = [make_audio(f"in/{name}.wav") for name in "abc"], tmp_path / "out"
    encode = ["encode", tmp_path / "in", out, *model]
    assert cli(*encode).status == 0
    written = os.stat(out / "a.npy").st_mtime_ns
    os.utime(sources[2], ns=(written, os.stat(out / "c.npy").st_mtime_ns))  # equal: it is done
    make_audio("in/a.wav", 1.0)
    os.utime(sources[0], ns=(written, written + 1))
    result = cli(*encode, "--resume")
    assert "out: 1 files of other or older codes are encoded anew" in result.err[0]
    assert "wrote 1 files" in result.err[-1] and "2 were done before" in result.err[-1]
    assert len(np.load(out / "a.npy")) == 50


def test_resume_after_recordings_are_gone(cli, model, tmp_path, make_audio):
    gone = make_audio("a.wav")
    (tmp_path / "list.tsv").write_text("speaker\tfile\nzoe\ta.wav\n")
    encode = ["encode", tmp_path, tmp_path / "out", "--manifest", "list.tsv", *model]
    assert cli(*encode).status == 0
    gone.unlink()
    result = cli(*encode, "--resume")
    assert result.status == 0 and "1 were done before" in result.err[-1]


def test_several_processes(cli, model, tmp_path, make_audio):
    for i in range(3):
        make_audio(f"in/{i}/a.wav", seed=i)
    (tmp_path / "in/1/a.wav").write_bytes(b"junk")
    result = cli("encode", tmp_path / "in", tmp_path / "out", "--workers", 2, *model)
    assert result.status == 2 and "1/a.wav" in result.err[0]
    assert "1 of 3 files" in result.err[1]
    assert len(list((tmp_path / "out").rglob("*.npy"))) == 2


def test_options_that_would_do_nothing(refused, model, tmp_path, make_audio):
    source, out = make_audio("in/a.wav"), tmp_path / "a.npy"
    refused(["encode", source, out, "--workers", 2, *model], "is no folder", "--workers")
    refused(["encode", source, out, "--ray", *model], "is no folder", "--ray")
    refused(["encode", tmp_path / "in", out, "--splits", "x", *model], "add --manifest")
    refused(["encode", tmp_path / "in", out, "--address", "x", *model], "add --ray")


def test_folders_that_cannot_be_encoded(refused, model, tmp_path, make_audio):
    (tmp_path / "empty").mkdir()
    refused(["encode", tmp_path / "empty", tmp_path / "out", *model], "no files")
    source = make_audio("in/a.wav")
    refused(["encode", tmp_path / "in", source, *model], "is a file", "name a folder")
    make_audio("in/a.flac")
    refused(["encode", tmp_path / "in", tmp_path / "out", *model], "a.flac", "a.wav", "rename")


def test_a_folder_that_cannot_be_made(cli, model, tmp_path, make_audio):
    make_audio("in/a.wav")
    (tmp_path / "file").touch()
    result = cli("encode", tmp_path / "in", tmp_path / "file" / "out", *model)
    assert result.status == 2 and "cannot be made" in result.err[0]


def broken_audio(tmp_path, make_audio):
    """name -> (file, words of the message)."""
    whole = make_audio("whole.wav").read_bytes()
    cases = {
        "empty.wav": (b"", "empty"),
        "text.wav": (b"hello, this is no audio file at all", "not audio"),
        "cut.wav": (whole[:-100], "cut off"),
        "header.wav": (whole[:30], ""),
        "cut.flac": (make_audio("whole.flac").read_bytes()[:-500], "cut off"),
    }
    for name, (content, _) in cases.items():
        (tmp_path / name).write_bytes(content)
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    for name, value in (("nan.wav", np.nan), ("inf.wav", -np.inf)):
        soundfile.write(tmp_path / name, np.array([0.0, value]), 16_000, "FLOAT")
    (tmp_path / "folder.npy").mkdir()
    words = {name: word for name, (_, word) in cases.items()}
    return words | {
        "none.wav": "no samples",
        "nan.wav": "NaN",
        "inf.wav": "infinite",
        "missing.wav": "no such file",
    }


def test_bad_audio(refused, model, tmp_path, make_audio):
    for name, word in broken_audio(tmp_path, make_audio).items():
        path = tmp_path / name
        refused(["encode", path, tmp_path / "out.npy", *model], path, word)


def test_bad_audio_leaves_an_older_output(refused, model, tmp_path):
    out = tmp_path / "out.npy"
    np.save(out, [1])
    refused(["encode", tmp_path / "missing.wav", out, *model])
    assert np.load(out).tolist() == [1]


@pytest.mark.parametrize("name", ["none/out.npy", "folder.npy", "out.wav", "x" * 300 + ".npy"])
def test_unwritable_output(refused, model, tmp_path, make_audio, name):
    source = make_audio()
    (tmp_path / "folder.npy").mkdir()
    refused(["encode", source, tmp_path / name, *model], name)


def test_a_full_disk(refused, model, tmp_path, make_audio, monkeypatch):
    source = make_audio()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    refused(["encode", source, tmp_path / "out.npy", *model], "No space left")


def test_no_gpu(refused, model, tmp_path, make_audio, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    source = make_audio()
    refused(["encode", source, tmp_path / "out.npy", *model, "--device", "cuda"], "CUDA", "cpu")


def test_bad_models(refused, tmp_path, make_audio, tiny_model):
    source, out = make_audio(), tmp_path / "out.npy"
    for name, word in (
        (tmp_path / "none", "no such model"),
        (source, "is a file"),
        (tmp_path, "is not a model"),
        (tiny_model / "model.safetensors", "is a file"),
    ):
        refused(["encode", source, out, "--model", name], name, word)
