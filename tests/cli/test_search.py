"""`--search`: which verbs search codes by themselves, and which have to be asked to."""

import numpy as np
import pytest
import soundfile
from synthetic_voice import RATE, sung

from vqspeech import Codec
from vqspeech.nn import search


@pytest.fixture
def her(tmp_path):
    path = tmp_path / "in" / "her.wav"
    path.parent.mkdir()
    soundfile.write(path, sung(2.5, 200.0, 220.0, pauses=False)[0], RATE)
    return path


@pytest.fixture
def model(hearing_model):
    return "--model", hearing_model


@pytest.fixture
def codec(hearing_model):
    return Codec.from_pretrained(hearing_model, "cpu")


@pytest.fixture
def wanted(codec, her, monkeypatch):
    """(the nearest codes, those that are found by search) of a model that was taught nothing."""
    monkeypatch.setattr(search, "DISTANCE", 0.0)
    found = [codec.encode_file(her, search=one).indices for one in (False, True)]
    assert not np.array_equal(*found)
    return found


def test_of_one_recording_by_itself(cli, codec, her, model, wanted, tmp_path):
    nearest, searched = wanted
    for name, options, want in (
        ("a.vqs", [], searched),
        ("b.vqs", ["--no-search"], nearest),
        ("c.vqs", ["--speaker", "anna"], searched),
        ("d.npy", [], searched),
        ("e.npy", ["--no-search"], nearest),
    ):
        assert cli("encode", her, tmp_path / name, *options, *model).status == 0
        out = tmp_path / name
        found = np.load(out) if out.suffix == ".npy" else codec.load_vqs(out)[0].indices
        np.testing.assert_array_equal(found, want, err_msg=name)


def test_of_a_folder_where_it_is_asked_for(cli, codec, her, model, wanted, tmp_path):
    for number, options in enumerate(([], ["--search"])):
        out = tmp_path / f"out{number}"
        assert cli("encode", her.parent, out, "--format", "vqs", *options, *model).status == 0
        found = codec.load_vqs(out / "her.vqs")[0].indices
        np.testing.assert_array_equal(found, wanted[number])


@pytest.mark.parametrize("kind", ["npy", "vqs"])
def test_of_a_folder_that_is_resumed(cli, her, model, tmp_path, kind):
    """Of what is done nobody knows whether it was searched: it stays, and that is said."""
    encode = ["encode", her.parent, out := tmp_path / "out", "--format", kind, "--resume", *model]
    assert len(cli(*encode, "--search").err) == 1, "nothing was done before"
    before = (out / f"her.{kind}").read_bytes()
    assert len(cli(*encode).err) == 1, "nothing is asked for"
    refine = ["--refine"] if kind == "vqs" else ["--voice", "--refine"]
    if kind == "npy":
        assert len(cli(*encode, "--voice").err) == 2, "is encoded anew"
    for options, words in (
        (["--search"], "searched"),
        (["--no-search"], "searched"),
        (refine, "refined"),
        ([*refine, "--search"], "searched and refined"),
    ):
        result = cli(*encode, *options)
        assert result.status == 0 and "1 were done before" in result.err[1]
        assert result.err[0] == (
            f"vqspeech: {out}: 1 files were done before, and do not say whether they are {words}; "
            "leave out --resume to have all anew"
        )
    assert (out / f"her.{kind}").read_bytes() == before


def test_of_what_is_converted_by_itself(cli, codec, her, model, wanted, tmp_path):
    convert = ["convert", her, "--speaker", "anna", "--preview", *model]
    for name, options in (("a.wav", []), ("b.wav", ["--no-search"])):
        assert cli(*convert[:2], tmp_path / name, *convert[2:], *options).status == 0
        codec.convert_file(her, tmp_path / "own.wav", "anna", preview=True, search=not options)
        assert (tmp_path / name).read_bytes() == (tmp_path / "own.wav").read_bytes()
    assert (tmp_path / "a.wav").read_bytes() != (tmp_path / "b.wav").read_bytes()


def test_what_cannot_be_searched(cli, refused, her, model, tiny_model, tmp_path):
    refused(["encode", her, "-", "--search", *model], "--search is for files")
    ray = ["encode", her.parent, tmp_path / "shards", "--ray", "--search", *model]
    refused(ray, "--search is not for the Ray job")
    deaf = ["--model", tiny_model]
    why = "has no log-mel head and speaker encoder to search codes by"
    refused(["encode", her, tmp_path / "x.vqs", "--search", *deaf], why)
    convert = ["convert", her, tmp_path / "x.wav", "--speaker", "anna", "--preview", *deaf]
    refused([*convert, "--search"], why)
    assert cli("encode", her, tmp_path / "x.vqs", *deaf).status == 0
    assert not (tmp_path / "x.wav").exists()
