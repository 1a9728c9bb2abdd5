"""Pipes instead of files: what comes out, when, and what is refused."""

import os
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from vqspeech import Codec
from vqspeech.codes.vqs import load_vqs
from vqspeech.codes.vqs_reader import VqsReader

WAVE = (0.1 * np.random.default_rng(0).standard_normal(40_000)).astype(np.float32)
OPEN = 0xFFFFFFFF


def wav(samples, rate=16_000, size=OPEN):
    """A WAV of 16 bits as a writer into a pipe makes it."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", OPEN, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16
    )
    return head + struct.pack("<4sI", b"data", size) + (samples * 32767).astype("<i2").tobytes()


@pytest.fixture
def piped(cli, tmp_path):
    """piped(data, *arguments): run with IN an open pipe that `data` comes through: (result, path).

    IN in the arguments stands for it, OUT for a FIFO; what came out of that is the last.
    """

    def run(data, *arguments):
        into, source = os.pipe()[::-1]
        fifo, read = tmp_path / "fifo", []
        writer = threading.Thread(target=_feed, args=(into, data))
        writer.start()
        names = {"IN": f"/dev/fd/{source}", "OUT": fifo}
        if "OUT" in arguments:
            os.mkfifo(fifo)
            reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
            reader.start()
        result = cli(*(names.get(argument, argument) for argument in arguments))
        os.close(source)
        writer.join()
        if "OUT" in arguments:
            if result.status:  # that it may have ended before it opened the FIFO
                os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))
            reader.join(10)
            fifo.unlink()
        return result, b"".join(read)

    return run


def _feed(into, data):
    try:
        with open(into, "wb") as file:
            file.write(data)
    except BrokenPipeError:
        pass


def read_all(data, codec):
    pieces = iter([data])
    reader = VqsReader("it", lambda size: next(pieces, b""))
    return np.concatenate(list(reader.codes(codec.block_coder))), reader


@pytest.fixture
def codec(tiny_prior_model):
    return Codec.from_pretrained(tiny_prior_model, device="cpu")


@pytest.mark.parametrize("out", ["codes.npy", "codes.vqs", "OUT"])
def test_a_recording_in_a_pipe_has_the_codes_of_its_file(
    cli, piped, codec, tiny_prior_model, tmp_path, out
):
    arguments = ["--model", tiny_prior_model, "--gain", "6"]
    soundfile.write(tmp_path / "in.wav", (WAVE * 32767).astype(np.int16), 16_000)
    assert cli("encode", tmp_path / "in.wav", tmp_path / "file.vqs", *arguments).status == 0
    wanted = load_vqs(tmp_path / "file.vqs", codec.block_coder)
    target = out if out == "OUT" else tmp_path / out
    result, data = piped(wav(WAVE), "encode", "IN", target, *arguments)
    assert result.status == 0 and result.out == ""
    if out == "OUT":
        found, reader = read_all(data, codec)
        assert np.array_equal(found, wanted.codes) and reader.samples == wanted.samples
        assert result.err == []
    elif out == "codes.npy":
        assert np.array_equal(np.load(target), wanted.codes)
    else:
        assert target.read_bytes() == (tmp_path / "file.vqs").read_bytes()


@pytest.mark.parametrize("kind", [("FLAC", "PCM_16"), ("WAV", "IMA_ADPCM"), ("AIFF", "PCM_24")])
def test_any_kind_of_file_comes_through_a_pipe(piped, cli, tiny_model, tmp_path, kind):
    path = tmp_path / "in.x"
    soundfile.write(path, WAVE, 16_000, format=kind[0], subtype=kind[1])
    options = ["--model", tiny_model, "--gain", "0"]
    assert cli("encode", path, tmp_path / "file.npy", *options).status == 0
    result, _ = piped(path.read_bytes(), "encode", "IN", tmp_path / "pipe.npy", *options)
    assert result.status == 0
    assert (tmp_path / "pipe.npy").read_bytes() == (tmp_path / "file.npy").read_bytes()


@pytest.mark.parametrize("gain", [1e-2, 1e3])
def test_a_level_that_speech_has_not_is_one_line_in_pipes_too(
    cli, piped, tiny_model, tmp_path, gain
):
    """Wherever it is known before: of a file, and of what is collected from a pipe."""
    path, model = tmp_path / "in.w64", ["--model", tiny_model]
    soundfile.write(path, gain * WAVE, 16_000, format="W64", subtype="FLOAT")
    words = "is very quiet" if gain < 1 else "goes far beyond full scale"
    result, _ = piped(b"", "encode", path, "OUT", *model)
    assert result.status == 0 and f"{path} {words}" in result.err[0]
    result, _ = piped(path.read_bytes(), "encode", "IN", tmp_path / "codes.npy", *model)
    assert result.status == 0 and words in result.err[0] and str(path) not in result.err[0]


def test_channels_of_a_pipe_that_cancel_each_other_out_are_warned_of(piped, tiny_model, tmp_path):
    path = tmp_path / "in.wav"
    soundfile.write(path, np.stack([WAVE, -WAVE], 1), 16_000)
    result, _ = piped(
        path.read_bytes(), "encode", "IN", tmp_path / "codes.npy", "--model", tiny_model
    )
    assert result.status == 0 and len([line for line in result.err if "cancel" in line]) == 1


@pytest.mark.parametrize("options", [["--preview"], []])
def test_codes_in_a_pipe_sound_as_those_of_a_file(cli, piped, tiny_prior_model, tmp_path, options):
    voice = ["--model", tiny_prior_model, "--speaker", "anna", *options]
    _, stream = piped(wav(WAVE), "encode", "IN", "OUT", "--model", tiny_prior_model)
    (tmp_path / "x.vqs").write_bytes(stream)
    assert cli("decode", tmp_path / "x.vqs", tmp_path / "file.wav", *voice).status == 0
    wanted = soundfile.read(tmp_path / "file.wav", dtype="int16")[0]
    assert len(wanted) == len(WAVE)
    result, data = piped(stream, "decode", "IN", "OUT", *voice)
    assert result.status == 0 and result.err == []
    assert data[:4] == b"RIFF" and data[40:44] == b"\xff" * 4
    assert np.array_equal(np.frombuffer(data[44:], "<i2"), wanted)
    result, _ = piped(stream, "decode", "IN", tmp_path / "pipe.flac", *voice)
    assert np.array_equal(soundfile.read(tmp_path / "pipe.flac", dtype="int16")[0], wanted)


def test_a_voice_comes_through_pipes(cli, piped, hearing_model, tmp_path):
    """Heard in the first seconds, kept in the header, spoken with where no speaker is named."""
    model = ["--model", hearing_model]
    _, stream = piped(wav(WAVE), "encode", "IN", "OUT", *model)
    (tmp_path / "x.vqs").write_bytes(stream)
    codes, named, contents = Codec.from_pretrained(hearing_model).load_vqs(tmp_path / "x.vqs")
    assert codes.voice is not None and named is None and contents.samples == len(WAVE)
    assert cli("decode", tmp_path / "x.vqs", tmp_path / "file.wav", "--preview", *model).status == 0
    result, data = piped(stream, "decode", "IN", "OUT", "--preview", *model)
    assert result.status == 0 and result.err == []
    wanted = soundfile.read(tmp_path / "file.wav", dtype="int16")[0]
    assert np.array_equal(np.frombuffer(data[44:], "<i2"), wanted)
    _, bare = piped(wav(WAVE), "encode", "IN", "OUT", "--no-voice", *model)
    assert 0 < len(stream) - len(bare) < 20
    result, _ = piped(bare, "decode", "IN", tmp_path / "no.wav", "--preview", *model)
    assert result.status == 2 and "name one" in result.err[0]
    result, _ = piped(wav(WAVE), "encode", "IN", tmp_path / "y.npy", "--voice", *model)
    assert result.status == 0 and (tmp_path / "y.safetensors").exists()


def test_plain_codes_come_through_a_pipe(cli, piped, tiny_model, tmp_path):
    np.save(tmp_path / "x.npy", np.array([0, 3, 1, 2] * 9, np.uint16))
    voice = ["--model", tiny_model, "--speaker", "anna"]
    assert cli("decode", tmp_path / "x.npy", tmp_path / "file.wav", *voice).status == 0
    data = (tmp_path / "x.npy").read_bytes()
    assert piped(data, "decode", "IN", tmp_path / "pipe.wav", *voice)[0].status == 0
    assert (tmp_path / "pipe.wav").read_bytes() == (tmp_path / "file.wav").read_bytes()
    result, _ = piped(data[:-3], "decode", "IN", tmp_path / "bad.wav", *voice)
    assert result.status == 2 and "/dev/fd/" in result.err[0] and "cut off" in result.err[0]


def test_conversion_through_pipes(cli, piped, tiny_model, tmp_path):
    voice = ["--model", tiny_model, "--speaker", "anna"]
    soundfile.write(tmp_path / "in.wav", (WAVE * 32767).astype(np.int16), 16_000)
    assert cli("convert", tmp_path / "in.wav", tmp_path / "file.wav", *voice).status == 0
    result, data = piped((tmp_path / "in.wav").read_bytes(), "convert", "IN", "OUT", *voice)
    assert result.status == 0 and data == (tmp_path / "file.wav").read_bytes()


def test_a_cut_stream_gives_what_is_intact_and_an_error(piped, tiny_prior_model, tmp_path):
    model = ["--model", tiny_prior_model]
    _, stream = piped(wav(WAVE), "encode", "IN", "OUT", "--block-seconds", "1", *model)
    voice = [*model, "--speaker", "anna", "--preview"]
    cut = stream[:-15]
    result, data = piped(cut, "decode", "IN", "OUT", *voice)
    assert result.status == 2 and "cut off" in result.err[0] and "--salvage" in result.err[0]
    assert (len(data) - 44) // 2 == 32_000
    result, _ = piped(cut, "decode", "IN", tmp_path / "out.wav", *voice)
    assert result.status == 2 and not (tmp_path / "out.wav").exists()
    result, data = piped(cut, "decode", "IN", "OUT", "--salvage", *voice)
    assert result.status == 0 and "kept 2 blocks, 2.00 s; lost: the end" in result.err[0]
    assert (len(data) - 44) // 2 == 32_000


BAD = {
    "nothing": (b"", "is empty"),
    "no sound": (b"rubbish" * 1000, "not audio"),
    "no samples": (wav(WAVE[:0]), "no samples"),
    "cut off": (wav(WAVE, size=10**6), "cut off"),
    "two recordings": (wav(WAVE, size=80_000) + wav(WAVE), "more than one recording"),
    "titles between two": (
        wav(WAVE, size=80_000) + b"LIST\x06\0\0\0INFO\0\0" + wav(WAVE),
        "more than one recording",
    ),
    "two of open length": (wav(WAVE) + wav(WAVE, rate=8_000), "more than one recording"),
    "of open length, AU": (
        wav(WAVE) + struct.pack(">4s5I", b".snd", 24, OPEN, 3, 8000, 1) + bytes(9000),
        "more than one recording",
    ),
    "the second begins between two reads": (
        wav(np.zeros((1 << 19) - 5)) + wav(WAVE),
        "more than one recording",
    ),
    "a rate of nothing": (wav(WAVE, rate=3), "3 Hz"),
}


def test_what_only_looks_like_another_recording(piped, tiny_model, tmp_path):
    """Four bytes by chance, and the header that libsndfile writes once more at the end."""
    wanted = tmp_path / "wanted.npy"
    options = ["--model", tiny_model, "--gain", "0"]
    assert piped(wav(WAVE), "encode", "IN", wanted, *options)[0].status == 0
    data = wav(WAVE) + wav(WAVE[:0])
    assert piped(data, "encode", "IN", tmp_path / "a.npy", *options)[0].status == 0
    assert (tmp_path / "a.npy").read_bytes() == wanted.read_bytes()
    data = wav(np.zeros((1 << 19) - 5)) + wav(WAVE[:0])
    assert piped(data, "encode", "IN", tmp_path / "long.npy", *options)[0].status == 0
    data = wav(WAVE)[:-24] + b"RIFFWAVEfmt .sndFORM"
    assert piped(data, "encode", "IN", tmp_path / "b.npy", *options)[0].status == 0


@pytest.mark.parametrize("kind", BAD)
def test_bad_recordings_in_a_pipe(piped, tiny_model, tmp_path, kind):
    data, word = BAD[kind]
    result, _ = piped(data, "encode", "IN", tmp_path / "out.npy", "--model", tiny_model)
    assert result.status == 2 and len(result.err) == 1 and word in result.err[0], result.err
    assert "vqspeech-" not in result.err[0], "a temporary file's name"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["encode", "-", "out.wav"], ".npy"),
        (["encode", "-", "out.npy", "--speaker", "anna"], "--speaker"),
        (["encode", "-", "-", "--format", "npy"], "--format"),
        (["encode", "-", "-", "--workers", "2"], "--workers"),
        (["encode", "-", "-", "--speaker", "nobody"], "nobody"),
        (["encode", "in.wav", "out.vqs", "--block-seconds", "1"], "--block-seconds"),
        (["decode", "-", "out.mp3", "--speaker", "anna"], ".wav or .flac"),
        (["decode", "-", "-", "--speaker", "nobody"], "nobody"),
        (["decode", "-", "-", "--preview", "--temperature", "1"], "--temperature"),
        (["convert", "-", "-"], "--speaker"),
    ],
)
def test_what_is_refused_before_anything_is_read(refused, tiny_model, arguments, word):
    refused([*arguments, "--model", tiny_model], word)


def test_a_folder_beside_a_pipe(refused, tiny_model, tmp_path):
    refused(["encode", tmp_path, "-", "--model", tiny_model], "folder", "pipe")
    refused(["encode", "-", tmp_path, "--model", tiny_model], "folder", "pipe")


@pytest.mark.parametrize(
    ("verb", "name"), [("encode", "x.npy"), ("decode", "x.flac"), ("convert", "x.flac")]
)
def test_what_a_pipes_name_promises(refused, tiny_model, tmp_path, verb, name):
    os.mkfifo(tmp_path / name)
    refused([verb, "-", tmp_path / name, "--model", tiny_model], name, "is a pipe", "name a file")


def test_terminals_are_refused(refused, tiny_model, monkeypatch):
    monkeypatch.setattr(os, "isatty", lambda number: True)
    refused(["encode", "-", "x.npy", "--model", tiny_model], "is a terminal", "ffmpeg")
    monkeypatch.setattr(os, "isatty", lambda number: number == 1)
    refused(["encode", "x.wav", "-", "--model", tiny_model], "is a terminal", "| ...")


def test_info_of_a_pipe(piped, tiny_prior_model):
    _, stream = piped(wav(WAVE), "encode", "IN", "OUT", "--model", tiny_prior_model)
    result, _ = piped(stream, "info", "IN")
    assert result.status == 0 and "40,000 at 16000 Hz" in result.out
    assert "2.50" in piped(wav(WAVE), "info", "IN")[0].out


def test_sound_comes_out_before_the_input_ends(tiny_prior_model):
    """Ordered by the pipes: the input stays open until the first sound has been read."""
    verb = [sys.executable, "-m", "vqspeech"]
    model = ["--model", str(tiny_prior_model)]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen([*verb, "encode", "-", "-", *model], stdin=pipe, stdout=pipe) as encode,
        subprocess.Popen(
            [*verb, "decode", "-", "-", *model, "--speaker", "anna"],
            stdin=encode.stdout,
            stdout=pipe,
        ) as decode,
    ):
        encode.stdout.close()
        encode.stdin.write(wav(np.tile(WAVE, 4)))
        encode.stdin.flush()
        assert len(decode.stdout.read(44 + 3200)) == 3244
        encode.stdin.close()
        rest = decode.stdout.read()
    assert (encode.returncode, decode.returncode) == (0, 0)
    assert len(rest) == 2 * 160_000 - 3200


def test_a_reader_that_has_enough_ends_it_quietly(cli, tiny_model, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(5000, np.uint16))
    np.save(tmp_path / "one.npy", np.zeros(1, np.uint16))
    command = [sys.executable, "-m", "vqspeech", "decode", str(tmp_path / "x.npy"), "-"]
    options = ["--speaker", "anna", "--model", str(tiny_model)]
    cli("decode", tmp_path / "one.npy", tmp_path / "x.wav", *options)  # whose kernels it compiles
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, *options], stdout=pipe, stderr=pipe) as process:
        assert len(process.stdout.read(1000)) == 1000
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
