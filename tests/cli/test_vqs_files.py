"""`.vqs` files on the command line."""

import numpy as np
import pytest
import soundfile


@pytest.fixture
def model(tiny_prior_model):
    return ["--model", tiny_prior_model]


@pytest.fixture
def wrote(cli, model, tmp_path, make_audio):
    """A recording of 1.01 s as x.vqs, of speaker bert."""
    source, out = make_audio(seconds=1.01), tmp_path / "x.vqs"
    result = cli("encode", source, out, "--speaker", "bert", *model)
    assert result.status == 0 and len(result.err) == 1
    assert f"wrote {out} (51 codes, 1.01 s, " in result.err[0]
    return out


def test_there_and_back(cli, model, tmp_path, wrote):
    assert cli("decode", wrote, tmp_path / "out.wav", *model).status == 0
    assert soundfile.info(tmp_path / "out.wav").frames == 16_160
    cli("encode", tmp_path / "in.wav", tmp_path / "x.npy", *model)
    cli("decode", tmp_path / "x.npy", tmp_path / "npy.wav", "--speaker", "bert", *model)
    one, two = (soundfile.read(tmp_path / name)[0] for name in ("out.wav", "npy.wav"))
    assert np.array_equal(one, two[: len(one)])
    other = tmp_path / "anna.wav"
    assert cli("decode", wrote, other, "--speaker", "anna", *model).status == 0
    assert not np.array_equal(soundfile.read(other)[0], one)


def test_another_name(cli, refused, model, tmp_path, wrote):
    """What a shell's `>` and `cp` make: the first bytes say what it is."""
    assert cli("decode", wrote, tmp_path / "known.wav", "--preview", *model).status == 0
    for name in ("x.bin", "x.npy", "x"):
        (tmp_path / name).write_bytes(wrote.read_bytes())
        out = tmp_path / "out.wav"
        assert cli("decode", tmp_path / name, out, "--preview", *model).status == 0, name
        assert out.read_bytes() == (tmp_path / "known.wav").read_bytes()
    decode = ["decode", tmp_path / "in.wav", tmp_path / "new.wav", *model]
    refused(decode, "in.wav: is not a .npy file but a recording", "vqspeech encode")


def test_info(cli, model, wrote, tmp_path):
    result = cli("info", wrote)
    assert result.status == 0
    for words in (
        "tiny (codes ",
        "bert",
        "16,160 at 16000 Hz",
        "1.01",
        "51 from a codebook of 4",
        "range-coded",
    ):
        assert words in result.out
    assert "bits per code:" in result.out and "(plain: 2)" in result.out
    cli("encode", tmp_path / "in.wav", wrote, "--packed", *model)
    packed = cli("info", wrote).out
    assert "packed" in packed and "not named" in packed and "13 are codes" in packed
    assert "prior:" in cli("info", *model).out


def test_folders(cli, model, tmp_path, make_audio):
    make_audio("in/a.wav")
    make_audio("in/deep/b.flac", format="FLAC")
    result = cli("encode", tmp_path / "in", tmp_path / "codes", "--format", "vqs", *model)
    assert result.status == 0 and "wrote 2 files" in result.err[-1]
    result = cli(
        "decode", tmp_path / "codes", tmp_path / "out", "--speaker", "anna", "--preview", *model
    )
    assert result.status == 0
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.wav")) == ["a.wav", "b.wav"]


def test_resuming_packed_or_not(cli, model, tmp_path, make_audio):
    make_audio("in/a.wav")
    out = tmp_path / "out"
    encode = ["encode", tmp_path / "in", out, "--format", "vqs", "--resume", *model]
    for how, mode in ([], "range-coded"), (["--packed"], "packed"), ([], "range-coded"):
        assert "wrote 1 files" in cli(*encode, *how).err[-1]
        assert mode in cli("info", out / "a.vqs").out
        assert "wrote 0 files" in cli(*encode, *how).err[-1]


def test_options_that_do_nothing(refused, model, tmp_path, make_audio):
    source = make_audio()
    for option in (["--packed"], ["--speaker", "bert"]):
        refused(["encode", source, tmp_path / "x.npy", *option, *model], option[0], ".vqs")
    refused(["encode", source, tmp_path / "x.vqs", "--format", "vqs", *model], "--format")
    (tmp_path / "x.vqs").mkdir()
    refused(["encode", source, tmp_path / "x.vqs", *model], "x.vqs", "folder")
    np.save(tmp_path / "x.npy", np.array([1]))
    arguments = ["decode", tmp_path / "x.npy", tmp_path / "o.wav", "--speaker", "anna"]
    refused([*arguments, "--salvage", *model], "--salvage")


def test_no_voice_named(cli, refused, model, tmp_path, make_audio):
    cli("encode", make_audio(), tmp_path / "x.vqs", *model)
    refused(["decode", tmp_path / "x.vqs", tmp_path / "o.wav", *model], "--speaker")
    refused(["encode", make_audio(), tmp_path / "y.vqs", "--speaker", "nobody", *model], "nobody")


def test_damage(cli, refused, model, tmp_path, make_audio):
    """A long recording with a hole in it: refused, and salvaged when asked."""
    codes = tmp_path / "x.vqs"
    cli("encode", make_audio(seconds=23), codes, "--packed", "--speaker", "anna", *model)
    data = bytearray(codes.read_bytes())
    data[100] ^= 16
    codes.write_bytes(data)
    decode = ["decode", codes, tmp_path / "out.wav", "--preview", *model]
    refused(decode, codes, "block 0 of 2 is damaged", "--salvage")
    refused(["info", codes], codes, "block 0 of 2 is damaged")
    result = cli(*decode, "--salvage")
    assert result.status == 0
    assert result.err[0] == f"vqspeech: {codes}: kept 1 of 2 blocks, 2.52 s; lost: 0"
    assert soundfile.info(tmp_path / "out.wav").frames == 23 * 16_000 - 1024 * 320


def test_salvage_tells_what_it_leaves_behind(cli, refused, model, tmp_path, wrote):
    both = tmp_path / "both.vqs"
    both.write_bytes(2 * wrote.read_bytes())
    decode = ["decode", both, tmp_path / "out.wav", "--preview", *model]
    assert "--salvage" not in refused(decode, both, "holds another file from byte")
    result = cli(*decode, "--salvage")
    size = wrote.stat().st_size
    assert result.status == 0 and f"lost: {size} bytes behind the end" in result.err[0]


def test_the_wrong_model(refused, wrote, tmp_path, tiny_model):
    refused(["decode", wrote, tmp_path / "o.wav", "--model", tiny_model], wrote, "prior")
