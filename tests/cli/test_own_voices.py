"""`encode --voice`, and recordings where a speaker's name is wanted, by the command line."""

import os

import numpy as np
import pytest
import soundfile
from synthetic_voice import RATE, sung

from vqspeech import Codec
from vqspeech.checkpoint.voices import save_voice


@pytest.fixture
def recordings(tmp_path):
    """Folder of her.wav and him.wav."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, f0 in (("her", 200.0), ("him", 100.0)):
        soundfile.write(folder / f"{name}.wav", sung(2.5, f0, 1.1 * f0, pauses=False)[0], RATE)
    return folder


@pytest.fixture
def model(hearing_model):
    return "--model", hearing_model


def test_a_vqs_file_gives_its_owner_back(cli, recordings, tmp_path, model):
    her, vqs, out = recordings / "her.wav", tmp_path / "her.vqs", tmp_path / "out.wav"
    assert cli("encode", her, vqs, *model).status == 0
    assert "their own voice" in cli("info", vqs).out
    assert cli("decode", vqs, out, "--preview", *model).status == 0
    own, _ = soundfile.read(out)
    assert cli("decode", vqs, out, "--preview", "--speaker", her, *model).status == 0
    np.testing.assert_allclose(soundfile.read(out)[0], own, atol=0.02)
    assert cli("decode", vqs, out, "--preview", "--speaker", "anna", *model).status == 0
    assert not np.allclose(soundfile.read(out)[0], own, atol=0.02)


def test_no_voice_keeps_none(cli, refused, recordings, tmp_path, model):
    vqs = tmp_path / "her.vqs"
    assert cli("encode", recordings / "her.wav", vqs, "--no-voice", *model).status == 0
    assert "not named" in cli("info", vqs).out
    decode = ["decode", vqs, tmp_path / "out.wav", "--preview", *model]
    refused(decode, "speakers: name one")


def test_a_voice_beside_plain_codes(cli, recordings, tmp_path, model):
    npy, out = tmp_path / "him.npy", tmp_path / "out.wav"
    assert cli("encode", recordings / "him.wav", npy, *model).status == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["him.npy", "in"]
    assert cli("encode", recordings / "him.wav", npy, "--voice", *model).status == 0
    voice = tmp_path / "him.safetensors"
    assert cli("decode", npy, out, "--speaker", voice, "--preview", *model).status == 0
    codec = Codec.from_pretrained(model[1])
    codes = codec.encode_file(recordings / "him.wav", voice="refined")
    sound, _ = soundfile.read(out)
    np.testing.assert_allclose(sound, codec.decode(codes, preview=True)[: len(sound)], atol=1e-3)


def test_voices_of_a_folder(cli, recordings, tmp_path, model):
    out = tmp_path / "codes"
    done = cli("encode", recordings, out, "--voice", "--workers", "2", *model)
    assert done.status == 0, done.err
    names = ["her.npy", "her.safetensors", "him.npy", "him.safetensors"]
    assert sorted(path.name for path in out.iterdir()) == names
    vqs = tmp_path / "vqs"
    assert cli("encode", recordings, vqs, "--format", "vqs", *model).status == 0
    codec = Codec.from_pretrained(model[1])
    for name in ("her", "him"):
        voice = codec.encode_file(recordings / f"{name}.wav").voice
        kept = codec.load_vqs(vqs / f"{name}.vqs")[0].voice
        np.testing.assert_allclose(kept, voice, atol=0.005 * np.abs(voice).max())
    assert cli("decode", vqs, tmp_path / "wavs", "--preview", *model).status == 0
    assert cli("decode", vqs, tmp_path / "drawn", *model).status == 0


def test_resuming_writes_voices_that_are_not_there(cli, recordings, tmp_path, model):
    out = tmp_path / "codes"
    assert cli("encode", recordings, out, *model).status == 0
    again = ["encode", recordings, out, "--resume", *model]
    assert "wrote 0 files" in cli(*again).err[-1]
    assert "wrote 2 files" in cli(*again, "--voice").err[-1]
    assert (out / "her.safetensors").exists() and (out / "him.safetensors").exists()
    assert "wrote 0 files" in cli(*again, "--voice").err[-1]


def test_an_enrolled_voice_is_not_replaced(cli, refused, recordings, tmp_path, model):
    npy, eva = tmp_path / "eva.npy", tmp_path / "eva.safetensors"
    codec = Codec.from_pretrained(model[1])
    save_voice(eva, codec.voice_of_file(recordings / "him.wav"))
    before = eva.read_bytes()
    encode = ["encode", recordings / "her.wav", npy, *model]
    refused([*encode, "--voice"], "eva.safetensors: is there already", "enrolled", "--force")
    assert len(cli(*encode).err) == 1 and eva.read_bytes() == before
    (tmp_path / "codes").mkdir()
    (enrolled := tmp_path / "codes/him.safetensors").write_bytes(before)
    folder = ["encode", recordings, tmp_path / "codes", "--resume", *model]
    refused([*folder, "--voice"], "him.safetensors: is there already")
    assert "wrote 2 files" in cli(*folder).err[-1]
    assert "wrote 2 files" in cli(*folder, "--voice", "--force").err[-1]
    assert enrolled.read_bytes() != before
    assert cli(*encode, "--voice", "--force").status == 0 and eva.read_bytes() != before
    assert cli(*encode, "--voice").status == 0


def test_a_voice_of_older_codes_is_told(cli, recordings, tmp_path, model):
    encode = ["encode", recordings / "her.wav", tmp_path / "her.npy", *model]
    assert len(cli(*encode, "--voice").err) == 1
    before = (voice := tmp_path / "her.safetensors").read_bytes()
    result = cli(*encode)
    assert result.status == 0 and f"{voice}: is the voice of older codes" in result.err[0]
    assert voice.read_bytes() == before
    folder = ["encode", recordings, tmp_path / "codes", *model]
    assert len(cli(*folder, "--voice").err) == 1
    assert "codes/her.safetensors (and 1 more): is the voice" in cli(*folder).err[0]
    assert len(cli(*folder, "--resume").err) == 1


def test_resuming_with_another_voice(cli, recordings, tmp_path, model):
    out = tmp_path / "codes"
    encode = ["encode", recordings, out, "--format", "vqs", *model]
    eva = tmp_path / "eva.safetensors"
    her = recordings / "her.wav"
    assert cli("encode", her, tmp_path / "eva.npy", "--voice", *model).status == 0
    assert cli(*encode).status == 0
    assert "wrote 0 files" in cli(*encode, "--resume", "--packed").err[-1]
    speakers = [["--speaker", speaker] for speaker in ("anna", "bert", eva, recordings / "him.wav")]
    for voice in *speakers, ["--no-voice"], []:
        again = [*encode, "--resume", *voice]
        assert "wrote 2 files" in cli(*again).err[-1], voice
        assert "wrote 0 files" in cli(*again).err[-1], voice


def test_resuming_with_another_model(cli, recordings, tmp_path, model, tiny_model):
    out = tmp_path / "codes"
    encode = ["encode", recordings, out, "--format", "vqs", "--resume"]
    assert cli(*encode, *model).status == 0
    for other in ["--model", tiny_model], model:
        result = cli(*encode, *other)
        assert "2 files of other or older codes" in result.err[0], result.err
        assert "wrote 2 files" in result.err[-1]
        assert "wrote 0 files" in cli(*encode, *other).err[-1]


def test_a_recording_is_a_speaker(cli, recordings, tmp_path, model):
    out = tmp_path / "out.wav"
    her, him = recordings / "her.wav", recordings / "him.wav"
    assert cli("convert", her, out, "--speaker", him, "--preview", *model).status == 0
    heard, _ = soundfile.read(out)
    assert cli("convert", her, out, "--speaker", "anna", "--preview", *model).status == 0
    assert not np.allclose(heard, soundfile.read(out)[0], atol=1e-3)
    vqs = tmp_path / "as.vqs"
    assert cli("encode", her, vqs, "--speaker", him, *model).status == 0
    codec = Codec.from_pretrained(model[1])
    voice = codec.voice_of_file(him).vector
    np.testing.assert_allclose(codec.load_vqs(vqs)[0].voice, voice, atol=0.02)


def test_what_is_refused(refused, cli, recordings, tmp_path, model, tiny_model):
    her, deaf = recordings / "her.wav", ("--model", tiny_model)
    npy, vqs = tmp_path / "a.npy", tmp_path / "a.vqs"
    refused(["encode", her, npy, "--voice", *deaf], "no speaker encoder")
    refused(["encode", her, vqs, "--voice", "--speaker", "anna", *model], "leave --speaker")
    refused(["encode", her, vqs, "--speaker", her, *deaf], "her.wav", "vqspeech enroll")
    refused(["convert", her, tmp_path / "x.wav", "--speaker", her, *deaf], "vqspeech enroll")
    refused(["encode", recordings, tmp_path / "o", "--voice", "--ray", *model], "Ray")
    os.mkfifo(fifo := tmp_path / "fifo")  # what a shell's <( ) makes
    convert = ["convert", her, tmp_path / "x.wav", "--speaker", fifo, "--preview"]
    refused([*convert, *model], "fifo: is not a regular file; save an audio file first")
    beside = tmp_path / "a.safetensors"
    beside.write_bytes(b"weights of somebody")
    refused(["encode", her, npy, "--voice", *model], "a.safetensors", "--force")
    assert cli("encode", her, npy, "--voice", "--force", *model).status == 0
    assert cli("encode", her, npy, "--voice", *model).status == 0  # it is the program's own


def test_a_voice_of_another_model_is_refused_when_decoding(
    refused, cli, recordings, tmp_path, model, hearing_model
):
    """A decoder that was trained further has the same codes, and other voices."""
    import torch

    from vqspeech.checkpoint.model import load_checkpoint, save_checkpoint

    vqs, other = tmp_path / "a.vqs", tmp_path / "other"
    assert cli("encode", recordings / "her.wav", vqs, *model).status == 0
    loaded = load_checkpoint(hearing_model)
    with torch.no_grad():
        loaded.model.decoder.output.weight.mul_(2)
    save_checkpoint(loaded.model, loaded.about.speakers, other, loaded.about.trained)
    decode = ["decode", vqs, tmp_path / "x.wav", "--preview", "--model", other]
    refused(decode, "a.vqs: keeps a voice that only another model knows", "--speaker")
    assert cli(*decode, "--speaker", "anna").status == 0


def test_refine_hears_the_kept_voice_better(cli, refused, recordings, tmp_path, model):
    """It is the rule for one recording, and for a folder's if it is asked for."""
    her, plain, better = recordings / "her.wav", tmp_path / "plain.vqs", tmp_path / "better.vqs"
    assert cli("encode", her, plain, "--no-refine", *model).status == 0
    assert cli("encode", her, better, *model).status == 0
    one, two = plain.read_bytes(), better.read_bytes()
    assert len(one) == len(two) and one != two
    assert cli("encode", her, tmp_path / "asked.vqs", "--refine", *model).status == 0
    assert (tmp_path / "asked.vqs").read_bytes() == two
    assert cli("encode", her, tmp_path / "x.npy", "--voice", "--refine", *model).status == 0
    nothing = ["encode", her, tmp_path / "y.npy", "--refine", *model]
    refused(nothing, "--refine hears the voice that is kept better, and none is")
    refused(["encode", her, "-", "--refine", *model], "--refine is for files")
    for number, (options, want) in enumerate(((["--refine"], two), ([], one))):
        out = tmp_path / f"many{number}"
        assert cli("encode", recordings, out, "--format", "vqs", *options, *model).status == 0
        assert (out / "her.vqs").read_bytes() == want
