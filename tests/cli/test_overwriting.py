"""Nothing that a person has is lost: no output leaves its folder or takes the place of a file that
this program did not make, nor of an input."""

import os
import shutil

import numpy as np
import pytest
import soundfile

from vqspeech.checkpoint.voices import Voice, save_voice
from vqspeech.cli.overwriting import check_outputs, is_own
from vqspeech.errors import InputError


@pytest.fixture
def model(tiny_model):
    return ["--model", tiny_model]


@pytest.fixture
def quick(model):
    return [*model, "--speaker", "anna", "--preview"]


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def harmless(refused, tmp_path):
    """harmless(arguments, *words): refused, and every file is as it was."""

    def check(arguments, *words):
        before = contents(tmp_path)
        line = refused(arguments, *words)
        assert contents(tmp_path) == before
        return line

    return check


def test_a_glob_does_not_replace_a_recording(harmless, cli, quick, make_audio, tmp_path):
    a, b = make_audio("a.wav"), make_audio("b.wav", seed=1)
    harmless(["convert", a, b, *quick], b, "not made by vqspeech", "--force", "the folder as IN")
    before = b.read_bytes()
    assert cli("convert", a, b, *quick, "--force").status == 0
    assert b.read_bytes() != before
    assert cli("convert", a, b, *quick, "--pitch", "keep").status == 0, "it is its own now"


@pytest.mark.parametrize("name", ["out.wav", "out.flac", "out.npy", "out.vqs"])
def test_other_files_in_the_way_and_own_ones(harmless, cli, model, make_audio, tmp_path, name):
    source, out = make_audio(), tmp_path / name
    np.save(tmp_path / "codes.npy", np.array([0, 1, 2], np.uint16))
    sound = name.endswith(("wav", "flac"))
    verb = ["decode", tmp_path / "codes.npy"] if sound else ["encode", source]
    options = [*model, "--speaker", "anna", "--preview"] if sound else model
    for content in (b"text", b"RIFF\x10\0\0\0WAVEvqspeech", np.zeros(3).tobytes()):
        out.write_bytes(content)
        harmless([*verb, out, *options], out, "not made by vqspeech")
    assert cli(*verb, out, *options, "--force").status == 0
    assert is_own(out)
    assert cli(*verb, out, *options).status == 0
    out.write_bytes(b"")
    assert cli(*verb, out, *options).status == 0, "an empty file is no loss"


def test_what_is_told_from_codes(tmp_path):
    kinds = {
        "codes": (np.zeros(4, np.uint16), True),
        "big-endian": (np.zeros(4, ">u2"), True),
        "samples": (np.zeros(4, np.int16), False),
        "levels": (np.zeros((4, 2), np.uint16), True),
        "features": (np.zeros((40, 2), np.uint16), False),
        "floats": (np.zeros(4), False),
        "bytes": (np.zeros(4, np.uint8), False),
    }
    for name, (array, own) in kinds.items():
        np.save(tmp_path / f"{name}.npy", array)
        assert is_own(tmp_path / f"{name}.npy") == own, name
    assert not is_own(tmp_path / "none.npy") and not is_own(tmp_path)


@pytest.mark.parametrize("name", ["kept.npy", "kept.vqs", "kept.wav", "kept.safetensors"])
def test_what_is_write_protected_stays(
    harmless, cli, model, make_audio, modes_hold, tmp_path, name
):
    """Their own results too, which are replaced else."""
    source, out = make_audio(), tmp_path / name
    verb = {
        ".wav": ["convert", source, out, "--speaker", "anna", "--preview"],
        ".safetensors": ["enroll", "Eva", source, "--out", out],
    }.get(out.suffix, ["encode", source, out])
    if out.suffix == ".safetensors":
        save_voice(out, Voice("Eva", np.zeros(4, np.float32), "0" * 16, 9.0))
    else:
        assert cli(*verb, *model).status == 0
    out.chmod(0o444)
    for force in ([], ["--force"]):
        harmless([*verb, *model, *force], f"{name}: is write-protected", "chmod u+w")


def test_what_is_write_protected_in_a_folder_stays(
    harmless, cli, model, make_audio, modes_hold, tmp_path
):
    for name in "ab":
        make_audio(f"in/{name}.wav")
    kept = tmp_path / "out/a.npy"
    verb = ["encode", tmp_path / "in", tmp_path / "out", *model]
    assert cli(*verb).status == 0
    kept.chmod(0o444)
    for force in ([], ["--force"]):
        harmless([*verb, *force], "out/a.npy: is write-protected")
    (tmp_path / "out/b.npy").unlink()
    result = cli(*verb, "--resume")
    assert result.status == 0 and "wrote 1 files" in result.err[-1], "it is left out"
    make_audio("in/a.wav", seconds=1.0)
    harmless([*verb, "--resume"], "out/a.npy: is write-protected")


def test_a_write_protected_report_stays(harmless, model, make_audio, modes_hold, tmp_path):
    make_audio("rec/anna/1.wav", 1.0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/report.md").touch(0o444)
    verb = ["evaluate", "--data", tmp_path / "rec", "--out", tmp_path / "out", *model]
    harmless(verb, "out/report.md: is write-protected")


@pytest.mark.parametrize("kind", ["same", "soft", "hard"])
def test_the_source_is_never_replaced(harmless, quick, make_audio, tmp_path, kind):
    source, out = make_audio("a.wav"), tmp_path / "b.wav"
    if kind == "soft":
        out.symlink_to(source)
    elif kind == "hard":
        os.link(source, out)
    out = source if kind == "same" else out
    for force in ([], ["--force"]):
        harmless(["convert", source, out, *quick, *force], out, "to be read", "another output")


def test_a_voice_is_read_too(harmless, model, make_audio, tmp_path):
    spoken = make_audio("spk.wav")
    make_audio("rec/eva.wav")
    shutil.copytree(tmp_path / "rec", tmp_path / "out")
    codes = tmp_path / "codes.npy"
    np.save(codes, np.array([0, 1, 2], np.uint16))
    how = ["--preview", "--force", *model]
    for verb in ("convert", make_audio("a.wav")), ("decode", codes), ("generate",):
        harmless([*verb, spoken, "--speaker", spoken, *how], spoken, "to be read")
    (tmp_path / "link.wav").symlink_to(spoken)
    verb = ["convert", tmp_path / "a.wav", tmp_path / "link.wav", "--speaker", spoken, *how]
    harmless(verb, "link.wav: is another name of", spoken)
    verb = ["convert", tmp_path / "rec", tmp_path / "out", *how]
    harmless([*verb, "--speaker", tmp_path / "out/eva.wav"], "out/eva.wav", "to be read")


@pytest.fixture
def redirected(tmp_path):
    """redirected(path): standard input is that file from here on, as by a shell's `<`."""
    kept = os.dup(0)

    def redirect(path):
        os.dup2(number := os.open(path, os.O_RDONLY), 0)
        os.close(number)

    yield redirect
    os.dup2(kept, 0)
    os.close(kept)


def test_what_standard_input_reads_is_not_replaced(
    harmless, cli, quick, model, make_audio, redirected, tmp_path
):
    me = make_audio("me.wav")
    redirected(me)
    line = "is what standard input reads"
    harmless(["convert", "-", me, *quick, "--force"], me, line)
    (tmp_path / "me.vqs").symlink_to(me)
    harmless(["encode", "-", tmp_path / "me.vqs", *model, "--force"], "me.vqs", line)
    assert cli("convert", "-", tmp_path / "other.wav", *quick).status == 0


def test_outputs_that_are_one_file(harmless, cli, model, quick, make_audio, tmp_path):
    for name in "ab":
        make_audio(f"rec/{name}.wav")
    (tmp_path / "out").mkdir()
    (link := tmp_path / "out/a.npy").symlink_to("b.npy")
    verb = ["encode", tmp_path / "rec", tmp_path / "out", *model]
    for force in ([], ["--force"]):
        harmless([*verb, *force], "is the same file as", "remove the link", "a.npy", "b.npy")
    link.unlink()
    assert cli(*verb).status == 0
    (tmp_path / "g-1.wav").symlink_to("g-2.wav")
    harmless(["generate", tmp_path / "g.wav", "--count", 2, *model], "is the same file as")


def test_a_folder_into_the_one_above_it(harmless, cli, quick, make_audio, tmp_path):
    for name in ("par/a.wav", "par/b.wav", "par/sub/a.wav", "par/sub/b.wav", "par/sub/c.wav"):
        make_audio(name)
    verb = ["convert", tmp_path / "par/sub", tmp_path / "par", *quick]
    line = harmless(verb, "2 files", tmp_path / "par/a.wav", tmp_path / "par/b.wav", "--force")
    assert "c.wav" not in line
    assert cli(*verb, "--force").status == 0
    assert all(is_own(tmp_path / "par" / name) for name in ("a.wav", "b.wav", "c.wav"))
    assert not is_own(tmp_path / "par/sub/a.wav")


def test_a_folder_whose_output_is_another_of_its_inputs(harmless, quick, make_audio, tmp_path):
    make_audio("in/a.wav")
    make_audio("in/in/a.wav")
    verb = ["convert", tmp_path / "in/in", tmp_path / "in", *quick]
    harmless(verb, "in/a.wav", "--force")
    make_audio("in/in/in/a.wav")
    harmless([*verb, "--force"], "in/in/a.wav", "which is to be read")
    verb = ["convert", tmp_path / "in", tmp_path / "in", *quick, "--force"]
    harmless(verb, "in/a.wav", "the source itself")


def test_decoding_into_recordings(harmless, cli, quick, make_audio, tmp_path):
    for i in range(5):
        make_audio(f"rec/{i}.wav")
        (tmp_path / "codes").mkdir(exist_ok=True)
        np.save(tmp_path / f"codes/{i}.npy", np.array([0, 1, 2], np.uint16))
    verb = ["decode", tmp_path / "codes", tmp_path / "rec", *quick]
    line = harmless(verb, "5 files", "rec/0.wav", "rec/2.wav", "...", "--force")
    assert "rec/3.wav" not in line
    assert cli(*verb, "--format", "flac").status == 0
    assert cli(*verb, "--format", "flac").status == 0


def test_a_folder_inside_of_its_input_is_not_read_again(cli, quick, make_audio, tmp_path):
    make_audio("rec/a.wav")
    make_audio("rec/d/b.wav")
    verb = ["convert", tmp_path / "rec", tmp_path / "rec/out", *quick]
    assert "2 files" in cli(*verb).err[-1]
    again = cli(*verb)
    assert again.status == 0 and "2 files" in again.err[-1]
    assert "left out 2 in the folder of the output (a.wav, b.wav)" in again.err[0]
    assert sorted(path.name for path in (tmp_path / "rec/out").iterdir()) == ["a.wav", "d"]


def test_resume_with_files_of_others(harmless, cli, model, make_audio, tmp_path):
    for name in "abc":
        make_audio(f"in/{name}.wav")
    (tmp_path / "out").mkdir()
    np.save(tmp_path / "out/a.npy", np.zeros(3))
    np.save(tmp_path / "out/b.npy", np.zeros(1, np.uint16))
    (tmp_path / "out/c.npy").touch()
    verb = ["encode", tmp_path / "in", tmp_path / "out", "--resume", *model]
    harmless(verb, "out/a.npy", "not made by vqspeech")
    result = cli(*verb, "--force")
    assert result.status == 0 and "wrote 2 files" in result.err[-1]
    assert "1 were done before" in result.err[-1]
    assert [len(np.load(tmp_path / f"out/{name}.npy")) for name in "abc"] == [25, 1, 25]


@pytest.mark.parametrize(
    ("speaker", "name"),
    [
        ("../../rec", "a"),
        ("anna", "../../a"),
        ("/tmp", "a"),
        ("anna", "/tmp/a"),
        ("anna", "b//c"),
        ("anna", "C:\\x"),
        ("anna", "x" * 300),
        ("link", "a"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--format", "vqs"], ["--ray"]])
def test_a_manifest_that_leads_out(harmless, model, make_audio, tmp_path, speaker, name, options):
    make_audio("rec/a.wav")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/link").symlink_to(tmp_path / "rec")
    (tmp_path / "m.tsv").write_text(
        f"speaker\tutterance\tfile\nanna\tok\trec/a.wav\n{speaker}\t{name}\trec/a.wav\n"
    )
    verb = ["encode", tmp_path, tmp_path / "out", "--manifest", tmp_path / "m.tsv"]
    harmless([*verb, *options, *model], "m.tsv: ", "out")


def test_a_manifest_with_absolute_paths(cli, model, make_audio, tmp_path):
    one, two = make_audio("rec/a/1.wav"), make_audio("rec/a/2.wav")
    rows = [f"anna\t{one}", f"anna\t{tmp_path / 'lists/../rec/a/2.wav'}"]
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/m.tsv").write_text("\n".join(["speaker\tfile", *rows]))
    before = contents(tmp_path / "rec")
    manifest = ["--manifest", tmp_path / "lists/m.tsv"]
    assert cli("encode", tmp_path / "rec", tmp_path / "out", *manifest, *model).status == 0
    assert contents(tmp_path / "rec") == before and two.exists()
    found = [path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.npy")]
    assert sorted(map(str, found)) == ["anna/a/1.npy", "anna/a/2.npy"]


def test_rows_with_one_output(harmless, model, make_audio, tmp_path):
    make_audio("a.wav")
    rows = "speaker\tutterance\tfile\nx\ty/z\ta.wav\nx/y\tz\ta.wav\n"
    (tmp_path / "m.tsv").write_text(rows)
    verb = ["encode", tmp_path, tmp_path / "out", "--manifest", "m.tsv", *model]
    harmless(verb, "m.tsv", "would overwrite what")


def test_alignments_stay_below_out(harmless, model, make_audio, tmp_path):
    pytest.importorskip("pocketsphinx")
    make_audio("a.wav")
    (tmp_path / "m.tsv").write_text("speaker\tutterance\tfile\ttranscript\n../..\tx\ta.wav\tHI\n")
    verb = ["phonemes", "--data", tmp_path, "--manifest", "m.tsv", "--out", tmp_path / "out"]
    harmless([*verb, *model], "'../..'", "cannot name an output")


@pytest.mark.parametrize("verb", ["evaluate", "phonemes"])
def test_reports_of_others(cli, harmless, model, make_audio, tmp_path, verb):
    make_audio("rec/anna/1.wav", 1.0)
    (tmp_path / "lab/anna").mkdir(parents=True)
    (tmp_path / "lab/anna/1.lab").write_text("0.0 1.0 AA\n")
    name = "report.md" if verb == "evaluate" else "phonemes.md"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("# My notes\n\n- about vqspeech 1\n")
    arguments = [verb, "--data", tmp_path / "rec", "--out", tmp_path / "out", *model]
    arguments += [] if verb == "evaluate" else ["--alignments", tmp_path / "lab"]
    harmless(arguments, f"out/{name}: is there already")


def test_a_report_is_known_again(cli, model, make_audio, tmp_path):
    make_audio("rec/anna/1.wav", 1.0)
    verb = ["evaluate", "--data", tmp_path / "rec", "--out", tmp_path / "out", "--jobs", 0]
    verb += ["--methods", "original,preview", "--metrics", "mel", *model]
    for _ in range(2):
        result = cli(*verb)
        assert result.status == 0, result.err
    assert all(is_own(path) for path in (tmp_path / "out").iterdir())


def test_a_voice_does_not_replace_a_model(harmless, model, make_audio, tmp_path, tiny_model):
    speech = make_audio()
    weights = tmp_path / "model.safetensors"
    shutil.copy(tiny_model / "model.safetensors", weights)
    verb = ["enroll", "Eva", speech, *model]
    harmless([*verb, "--out", weights], weights, "not made by vqspeech")
    empty = tmp_path / "empty"
    empty.mkdir()
    harmless(["enroll", "Eva", empty, *model, "--out", tmp_path / "v.safetensors"], "no files")


def test_own_voices_are_known(tmp_path):
    path = tmp_path / "v.safetensors"
    save_voice(path, Voice("Eva", np.zeros(4, np.float32), "0" * 16, 9.0))
    assert is_own(path)
    for content in (b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"):
        path.write_bytes(content)
        assert not is_own(path)


def test_what_is_generated_spares_its_prompt(harmless, model, make_audio, tmp_path):
    prompt = make_audio("p.wav", 0.5)
    harmless(["generate", prompt, "--prompt", prompt, *model, "--force"], "the source itself")
    make_audio("g-2.wav")
    harmless(["generate", tmp_path / "g.wav", "--count", 3, *model], "g-2.wav", "--force")


def test_preparing_into_a_folder_of_others(harmless, cli, make_audio, tmp_path):
    make_audio("rec/anna/1.wav", 1.0)
    out = tmp_path / "out"
    out.mkdir()
    (out / "index.json").write_text('{"pages": 3}')
    (out / "audio-mine.bin").write_bytes(b"mine")
    verb = ["prepare", tmp_path / "rec", out, "--workers", 1]
    harmless(verb, "index.json", "--force")
    assert cli(*verb, "--force").status == 0
    assert (out / "audio-mine.bin").read_bytes() == b"mine"
    make_audio("rec/anna/2.wav", 1.0, seed=1)
    assert cli(*verb).status == 0, "over its own it needs no --force"


def test_preparing_beside_shards_of_others(harmless, cli, make_audio, tmp_path):
    make_audio("rec/anna/1.wav", 1.0)
    out = tmp_path / "out"
    out.mkdir()
    verb = ["prepare", tmp_path / "rec", out, "--workers", 1]
    for name in ("audio-00000.bin", "audio-00042.bin"):
        (mine := out / name).write_bytes(b"mine")
        harmless(verb, mine, "not made by vqspeech", "--force")
        mine.unlink()
    assert cli(*verb).status == 0
    make_audio("rec/anna/2.wav", 1.0, seed=1)
    mine.write_bytes(b"mine")
    harmless(verb, mine, "--force")
    assert cli(*verb, "--force").status == 0
    assert not mine.exists() and cli(*verb).status == 0, "nothing is in the way any more"


def test_training_into_a_folder_of_others(harmless, tmp_path):
    pytest.importorskip("accelerate")
    (tmp_path / "run/model").mkdir(parents=True)
    (tmp_path / "run/model/notes.txt").write_text("mine")
    verb = ["train", "--config", "base", "--data", tmp_path, "--out", tmp_path / "run"]
    harmless(verb, "run/model", "would be replaced")
    (tmp_path / "run/config.json").write_text('{"a": 1}')
    line = harmless(verb, "run/config.json", "not made by vqspeech; name another --out")
    assert "--force" not in line, "which train does not have"


def test_pipes_and_devices_are_no_loss(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    check_outputs([tmp_path / "pipe.wav", "/dev/null", "-", "a\0b", "x" * 300])


def test_python_spares_the_source(tiny_model, make_audio, tmp_path):
    from vqspeech import Codec

    codec, source = Codec.from_pretrained(tiny_model, device="cpu"), make_audio()
    (tmp_path / "link.wav").symlink_to(source)
    before = source.read_bytes()
    for path in (source, tmp_path / "link.wav"):
        with pytest.raises(InputError, match="is the source itself"):
            codec.convert_file(source, path, "anna", preview=True)
    assert source.read_bytes() == before
    other = make_audio("b.wav", seed=1)
    assert codec.convert_file(source, other, "anna", preview=True) == 8000
    assert soundfile.SoundFile(other).software.startswith("vqspeech")


@pytest.mark.parametrize("before", [[], ["--"]])
def test_names_with_dashes(cli, model, make_audio, tmp_path, monkeypatch, before):
    make_audio("-x.wav")
    monkeypatch.chdir(tmp_path)
    names = ["-x.wav", "-o.npy"] if before else ["./-x.wav", "./-o.npy"]
    assert cli("encode", *model, *before, *names).status == 0
    assert len(np.load(tmp_path / "-o.npy")) == 25


def test_names_between_options(cli, model, make_audio, tmp_path):
    source, out = make_audio(), tmp_path / "o.wav"
    result = cli("convert", source, *model, "--speaker", "anna", "--preview", out)
    assert result.status == 0 and out.exists()
