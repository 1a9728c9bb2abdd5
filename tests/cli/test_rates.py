"""`encode --bitrate` and `reduce`: several rates from one model on the command line."""

import os
import shutil
import threading

import numpy as np
import pytest
import soundfile

from vqspeech import Codec
from vqspeech.cli.levels import levels_of
from vqspeech.codes.vqs import load_vqs, measure_vqs


@pytest.fixture
def model(levelled_model):
    return ["--model", levelled_model]


@pytest.fixture
def codec(levelled_model):
    return Codec.from_pretrained(levelled_model, "cpu")


@pytest.fixture
def high(cli, model, tmp_path, make_audio):
    """A recording of 2 s at 400 bit/s, as x.vqs and x.npy."""
    source = make_audio(seconds=2)
    for name in ("x.vqs", "x.npy"):
        result = cli("encode", source, tmp_path / name, "--bitrate", 400, *model)
        assert result.status == 0, result.err
    assert "400 bit/s" in result.err[0]
    return tmp_path


def test_info_says_rates_and_levels(cli, model, high):
    assert "100, 200, 300, 400 bit/s" in cli("info", *model).out
    codes = cli("info", high / "x.npy", *model).out
    assert "100, 4 levels" in codes and "400 bit/s" in codes
    packed = cli("info", high / "x.vqs").out
    assert "one every 320 samples, 4 levels" in packed and "(plain codes: 400)" in packed


@pytest.mark.parametrize("rate", [100, 199, 300, 5000])
def test_what_is_reduced_is_what_would_have_been_encoded(cli, model, codec, high, rate):
    levels = min(4, rate // 100)
    for name in ("low.vqs", "low.npy"):
        kind = name[-4:]
        result = cli("reduce", high / f"x{kind}", high / name, "--bitrate", rate, *model)
        assert result.status == 0 and "(2.00 s)" in result.err[0]
        direct = high / f"direct{kind}"
        cli("encode", high / "in.wav", direct, "--bitrate", 100 * levels, *model)
        assert (high / name).read_bytes() == direct.read_bytes()
    assert np.load(high / "low.npy").shape == ((levels, 100) if levels > 1 else (100,))
    assert measure_vqs(high / "low.vqs").header.levels == levels


def test_a_file_needs_no_model(cli, high, monkeypatch):
    monkeypatch.setattr("vqspeech.checkpoint.location.resolve", None)
    assert cli("reduce", high / "x.vqs", high / "low.vqs", "--bitrate", 100).status == 0


def test_higher_rates_decode(cli, model, high):
    for kind in ("vqs", "npy"):
        speaker = ["--speaker", "anna"]
        out = high / f"{kind}.wav"
        assert cli("decode", high / f"x.{kind}", out, *speaker, "--preview", *model).status == 0
    one, two = (soundfile.read(high / f"{kind}.wav")[0] for kind in ("vqs", "npy"))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("kind", ["vqs", "npy"])
def test_decoding_stops_at_a_rate(cli, refused, model, high, kind):
    """As decoding what `reduce` leaves, from a file, a folder and a pipe."""
    how = ["--speaker", "anna", "--preview", *model]
    cli("reduce", high / f"x.{kind}", high / f"low.{kind}", "--bitrate", 200, *model)
    assert cli("decode", high / f"low.{kind}", high / "known.wav", *how).status == 0
    known = (high / "known.wav").read_bytes()
    stop = ["--bitrate", 299, *how]
    assert cli("decode", high / f"x.{kind}", high / "stop.wav", *stop).status == 0
    assert (high / "stop.wav").read_bytes() == known
    (folder := high / "codes").mkdir()
    os.link(high / f"x.{kind}", folder / f"x.{kind}")
    assert cli("decode", folder, high / "out", *stop).status == 0
    assert (high / "out" / "x.wav").read_bytes() == known
    os.mkfifo(fifo := high / "fifo")
    feed = threading.Thread(target=fifo.write_bytes, args=[(high / f"x.{kind}").read_bytes()])
    feed.start()
    assert cli("decode", fifo, high / "piped.wav", *stop).status == 0
    feed.join()
    assert (high / "piped.wav").read_bytes() == known
    few = ["decode", high / f"x.{kind}", high / "few.wav", "--bitrate", 99, *how]
    refused(few, f"x.{kind}: 99 bit/s is less than the first level alone takes: 100")


def test_conversion_at_a_rate(cli, refused, model, high):
    how = ["--speaker", "anna", "--preview", *model]
    for rate in (100, 400):
        out = high / f"{rate}.wav"
        assert cli("convert", high / "in.wav", out, "--bitrate", rate, *how).status == 0
    assert (high / "100.wav").read_bytes() != (high / "400.wav").read_bytes()
    assert cli("convert", high / "in.wav", high / "plain.wav", *how).status == 0
    assert (high / "plain.wav").read_bytes() == (high / "100.wav").read_bytes()
    odd = ["convert", high / "in.wav", high / "odd.wav", "--bitrate", 150, *how]
    refused(odd, "bitrate 150 is none that this model has: 100, 200, 300, 400 bit/s")


def test_folders(cli, model, high, tmp_path):
    source = tmp_path / "speech"
    source.mkdir()
    for name in ("a", "b"):
        os.link(high / "in.wav", source / f"{name}.wav")
    for kind in ("npy", "vqs"):
        out, low = tmp_path / f"out-{kind}", tmp_path / f"low-{kind}"
        format = ["--format", kind]
        result = cli("encode", source, out, *format, "--bitrate", 300, "--workers", 2, *model)
        assert result.status == 0, result.err
        assert cli("reduce", out, low, "--bitrate", 200, *model).status == 0
        assert sorted(path.name for path in low.iterdir()) == [f"a.{kind}", f"b.{kind}"]
    assert np.load(tmp_path / "out-npy" / "a.npy").shape == (3, 100)
    assert np.load(tmp_path / "low-npy" / "b.npy").shape == (2, 100)
    assert measure_vqs(tmp_path / "low-vqs" / "b.vqs").header.levels == 2


@pytest.mark.parametrize("kind", ["npy", "vqs"])
def test_resuming_at_another_rate(cli, model, make_audio, tmp_path, kind):
    make_audio("rec/a.wav")
    make_audio("rec/b.wav")
    encode = ["encode", tmp_path / "rec", out := tmp_path / "out", "--format", kind, *model]
    assert cli(*encode).status == 0
    os.link(out / f"a.{kind}", tmp_path / f"low.{kind}")
    again = [*encode, "--resume", "--bitrate", 300]
    result = cli(*again)
    assert "2 files of other or older codes" in result.err[0] and "wrote 2 files" in result.err[-1]
    assert levels_of(out / f"a.{kind}") == 3 and levels_of(tmp_path / f"low.{kind}") == 1
    result = cli(*again)
    assert len(result.err) == 1 and "wrote 0 files" in result.err[0]
    os.replace(tmp_path / f"low.{kind}", out / f"b.{kind}")
    assert "wrote 1 files" in cli(*again).err[-1]


def test_a_folder_of_both_kinds(cli, model, high, tmp_path):
    """Files of one name are no files of one output."""
    (folder := tmp_path / "codes").mkdir()
    os.link(high / "x.vqs", folder / "x.vqs")
    os.link(high / "x.npy", folder / "x.NPY")
    result = cli("reduce", folder, tmp_path / "low", "--bitrate", 100, *model)
    assert result.status == 0, result.err
    assert sorted(path.name for path in (tmp_path / "low").iterdir()) == ["x.npy", "x.vqs"]


def test_a_folder_names_what_cannot_be_reduced(cli, model, high, tmp_path):
    (folder := tmp_path / "codes").mkdir()
    os.link(high / "x.vqs", folder / "good.vqs")
    (folder / "bad.vqs").write_bytes((high / "x.vqs").read_bytes()[:-3])
    result = cli("reduce", folder, tmp_path / "low", "--bitrate", 100, *model)
    assert result.status == 2 and any("bad.vqs" in line for line in result.err)
    assert [path.name for path in (tmp_path / "low").iterdir()] == ["good.vqs"]


def test_codes_under_other_names(cli, refused, model, high):
    """What a shell's `>` and `cp` make: their first bytes say what they are."""
    how = ["--bitrate", 200, *model]
    for kind, name in (("vqs", "x.bin"), ("vqs", "stream.npy"), ("npy", "plain"), ("npy", "y.vqs")):
        shutil.copy(high / f"x.{kind}", high / name)
        assert cli("reduce", high / name, high / f"low.{kind}", *how).status == 0, name
        assert cli("reduce", high / f"x.{kind}", high / f"known.{kind}", *how).status == 0
        assert (high / f"low.{kind}").read_bytes() == (high / f"known.{kind}").read_bytes()
    refused(["reduce", high / "stream.npy", high / "z.npy", *how], "z.npy: must be a .vqs file")
    assert cli("info", high / "stream.npy").out == cli("info", high / "x.vqs").out


def test_plain_codes_go_through_no_pipe(cli, refused, model, high):
    how = ["--bitrate", 200, *model]
    line = "holds .npy codes, and pipes take .vqs; name files for IN and OUT"
    refused(["reduce", high / "x.npy", "-", *how], f"x.npy: {line}")
    os.mkfifo(fifo := high / "fifo")
    feed = threading.Thread(target=fifo.write_bytes, args=[(high / "x.npy").read_bytes()])
    feed.start()
    refused(["reduce", fifo, high / "low.npy", *how], f"fifo: {line}")
    feed.join()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x.vqs", "y.npy", "--bitrate", "100"], "must be a .vqs file"),
        (["x.npy", "y.vqs", "--bitrate", "100"], "must be a .npy file"),
        (["x.vqs", "y.vqs", "--bitrate", "99"], "less than the first level alone takes: 100"),
        (["x.npy", "y.npy", "--bitrate", "99"], "less than the first level alone takes: 100"),
        (["x.vqs", "y.vqs"], "--bitrate"),
        (["x.vqs", "y.vqs", "--bitrate", "100", "--format", "npy"], "--format"),
        (["x.vqs", "x.vqs", "--bitrate", "100"], "is the source itself"),
        (["none.vqs", "y.vqs", "--bitrate", "100"], "no such file"),
        (["none.wav", "y.vqs", "--bitrate", "100"], "none.wav: no such file"),
        (["in.wav", "y.npy", "--bitrate", "100"], "in.wav: is not a .vqs or .npy file"),
        (["in.wav", "y.vqs", "--bitrate", "100"], "encode it first"),
    ],
)
def test_what_cannot_be_reduced(refused, model, high, arguments, words):
    source, out = (high / name if "." in name else name for name in arguments[:2])
    refused(["reduce", source, out, *arguments[2:], *model], words)


@pytest.mark.parametrize("kind", ["vqs", "npy"])
def test_higher_codes_of_another_recording_stay(cli, refused, model, high, make_audio, kind):
    """What a shell makes of `reduce *.vqs` names two recordings."""
    other, low = high / f"y.{kind}", high / f"low.{kind}"
    encode = ["encode", make_audio("y.wav", seed=1), other, "--bitrate", 300, *model]
    assert cli(*encode).status == 0
    before = other.read_bytes()
    reduce = ["reduce", high / f"x.{kind}", other, "--bitrate", 200, *model]
    refused(reduce, f"y.{kind}: is there already, with 3 levels", "2 would be written", "`*`")
    assert other.read_bytes() == before
    for _ in range(2):
        assert cli("reduce", other, low, "--bitrate", 200, *model).status == 0
    assert cli("reduce", other, low, "--bitrate", 300, *model).status == 0, "more over less"
    refused(["reduce", other, low, "--bitrate", 100, *model], "with 3 levels", "1 would")
    assert cli(*reduce, "--force").status == 0
    assert cli(*reduce).status == 0


def test_higher_codes_of_a_folder_stay(cli, refused, model, high):
    for name in ("in/a.vqs", "in/b.npy", "out/a.vqs", "out/b.npy"):
        (high / name).parent.mkdir(exist_ok=True)
        shutil.copy(high / f"x.{name[-3:]}", high / name)
    (high / "in/bad.vqs").write_bytes(b"VQS")
    shutil.copy(high / "x.vqs", high / "out/bad.vqs")
    reduce = ["reduce", high / "in", high / "out", "--bitrate", 100, *model]
    refused(reduce, "out/a.vqs: is there already, with 4 levels", "1 more such file")
    result = cli(*reduce, "--force")
    assert result.status == 2 and "1 of 3 files failed" in result.err[-1]


def test_a_stream_does_not_replace_higher_codes(cli, high):
    data, fifo = (high / "x.vqs").read_bytes(), high / "fifo"
    os.mkfifo(fifo)
    for options, status in ([], 2), (["--force"], 0):
        feed = threading.Thread(target=fifo.write_bytes, args=[data])
        feed.start()
        result = cli("reduce", fifo, high / "x.vqs", "--bitrate", 100, *options)
        feed.join()
        assert result.status == status, result.err
        assert ((high / "x.vqs").read_bytes() == data) == bool(status)


@pytest.mark.parametrize("rate", [50, 250, 500])
def test_rates_that_the_model_has_not(refused, model, make_audio, tmp_path, rate):
    source = make_audio()
    arguments = ["encode", source, tmp_path / "y.vqs", "--bitrate", rate, *model]
    refused(arguments, f"bitrate {rate} is none that this model has: 100, 200, 300, 400 bit/s")


def test_streams(cli, model, high):
    """A stream of 400 bit/s, reduced on its way to 200."""
    cli("encode", high / "in.wav", high / "s", "--bitrate", 400, *model)
    os.mkfifo(fifo := high / "fifo")
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    assert cli("encode", high / "in.wav", fifo, "--bitrate", 400, *model).status == 0
    data = os.read(reader, 1 << 20)
    os.close(reader)
    (high / "stream.vqs").write_bytes(data)
    assert cli("reduce", high / "stream.vqs", high / "low.vqs", "--bitrate", 200).status == 0
    found = load_vqs(high / "low.vqs", Codec.from_pretrained(model[1], "cpu").block_coder)
    assert found.codes.shape == (2, 100) and found.header.samples is None
