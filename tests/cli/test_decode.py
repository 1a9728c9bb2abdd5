import pickle
import struct

import numpy as np
import pytest
import soundfile

from vqspeech.audio.writing import clipping_message
from vqspeech.errors import InputError


@pytest.fixture
def anna(tiny_model):
    return ["--model", tiny_model, "--speaker", "anna"]


@pytest.fixture
def codes(tmp_path):
    path = tmp_path / "codes.npy"
    np.save(path, np.array([0, 1, 2, 3, 3, 1], np.uint16))
    return path


@pytest.mark.parametrize("name", ["out.wav", "out.flac"])
def test_a_file(cli, anna, codes, tmp_path, name):
    out = tmp_path / name
    result = cli("decode", codes, out, *anna)
    assert (result.status, result.out) == (0, "")
    assert result.err[-1] == f"vqspeech: wrote {out} (0.12 s)"
    header = soundfile.info(out)
    assert (header.samplerate, header.channels, header.frames) == (16_000, 1, 6 * 320)
    assert header.subtype == "PCM_16"


def test_seed_and_temperature_decide(cli, anna, codes, tmp_path):
    def decoded(*options):
        out = tmp_path / "out.wav"
        assert cli("decode", codes, out, *anna, *options).status == 0
        return out.read_bytes()

    assert decoded() == decoded("--seed", 0)
    assert decoded() != decoded("--seed", 2**63 - 1)
    assert decoded("--temperature", 0) == decoded("--temperature", 0, "--seed", 5)
    assert decoded("--temperature", 0) != decoded("--temperature", 0, "--no-postfilter")


def test_a_preview_says_so(cli, anna, codes, tmp_path):
    out = tmp_path / "out.wav"
    result = cli("decode", codes, out, *anna, "--preview", "--seed", 2**63 - 1)
    said = f"vqspeech: wrote {out} (0.12 s, PREVIEW by Griffin-Lim, not the WaveNet)"
    assert result.status == 0 and result.err[-1] == said
    assert soundfile.info(out).frames == 6 * 320


def test_a_folder_is_mirrored(cli, anna, codes, tmp_path):
    folder = tmp_path / "codes"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.npy", "deep/b.npy"):
        (folder / name).write_bytes(codes.read_bytes())
    (folder / "deep" / "bad.npy").write_bytes(b"")
    out = tmp_path / "out"
    result = cli("decode", folder, out, *anna, "--format", "flac", "--preview")
    assert result.status == 2
    assert "bad.npy" in result.err[-2] and "1 of 3 files" in result.err[-1]
    files = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert files == ["a.flac", "deep/b.flac"]
    (folder / "deep" / "bad.npy").unlink()
    result = cli("decode", folder, tmp_path / "wav", *anna, "--preview")
    assert result.status == 0 and "PREVIEW" in result.err[-1] and "2 files" in result.err[-1]
    assert (tmp_path / "wav" / "a.wav").exists()


def test_a_folder_is_decoded_side_by_side(cli, anna, codes, tmp_path):
    folder, out = tmp_path / "codes", tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    for i, name in enumerate(("a.npy", "b.npy", "deep/c.npy")):
        np.save(folder / name, np.arange(4 + 3 * i, dtype=np.uint16) % 4)
    (folder / "bad.npy").write_bytes(b"")
    result = cli("decode", folder, out, *anna, "--streams", 2)
    assert result.status == 2 and "1 of 4" in result.err[-1]
    assert any("bad.npy" in line for line in result.err)
    files = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert files == ["a.wav", "b.wav", "deep/c.wav"]
    for name in ("a", "b", "deep/c"):
        alone = tmp_path / "alone.wav"
        assert cli("decode", folder / f"{name}.npy", alone, *anna).status == 0
        assert (out / f"{name}.wav").read_bytes() == alone.read_bytes()


def test_what_cannot_be_written_of_a_folder_keeps_nothing_else(
    cli, anna, codes, tmp_path, monkeypatch
):
    from vqspeech.audio.writing import Writer

    folder, out = tmp_path / "codes", tmp_path / "out"
    folder.mkdir()
    for i, name in enumerate(("a", "b", "c", "d", "e")):
        np.save(folder / f"{name}.npy", np.full(20 + 20 * i, i % 4, np.uint16))
    (out / "b.wav").mkdir(parents=True)
    before = Writer.add, Writer.__exit__

    def add(writer, block):
        before[0](writer, block)
        if writer.path.endswith("c.wav"):
            raise InputError(f"{writer.path}: cannot be written (full)")

    def leave(writer, *error):
        if writer.path.endswith("d.wav") and error[0] is None:
            before[1](writer, InputError, InputError(""), None)
            raise InputError(f"{writer.path}: cannot be written (full)")
        before[1](writer, *error)

    monkeypatch.setattr(Writer, "add", add)
    monkeypatch.setattr(Writer, "__exit__", leave)
    result = cli("decode", folder, out, *anna)
    assert result.status == 2 and len(result.err) == 4
    for line, name in zip(result.err, ("b.wav: is a folder", "c.wav: ", "d.wav: "), strict=False):
        assert name in line
    assert "3 of 5 files failed" in result.err[-1]
    assert sorted(path.name for path in out.iterdir()) == ["a.wav", "b.wav", "e.wav"]


def test_an_interrupted_folder_keeps_what_is_complete(cli, anna, codes, tmp_path, monkeypatch):
    from vqspeech.audio.writing import Writer

    folder, out = tmp_path / "codes", tmp_path / "out"
    folder.mkdir()
    np.save(folder / "a.npy", np.zeros(2, np.uint16))
    np.save(folder / "b.npy", np.zeros(90, np.uint16))
    add = Writer.add

    def interrupt(writer, block):
        if (out / "a.wav").exists():
            raise KeyboardInterrupt
        add(writer, block)

    monkeypatch.setattr(Writer, "add", interrupt)
    result = cli("decode", folder, out, *anna)
    assert result.status == 130
    assert [p.name for p in out.iterdir()] == ["a.wav"]


def test_weights_change_the_samples(cli, anna, codes, tmp_path):
    made = []
    for weights in ("int8", "float32"):
        out = tmp_path / f"{weights}.wav"
        assert cli("decode", codes, out, *anna, "--weights", weights).status == 0
        made.append(soundfile.read(out)[0])
    assert len(made[0]) == len(made[1])


def test_recordings_beside_the_codes_are_not_overwritten(refused, cli, anna, codes, make_audio):
    folder = codes.parent
    (folder / "wav").mkdir()
    arguments = ["decode", folder, folder, *anna, "--preview"]
    assert cli(*arguments).status == 0 and (folder / "codes.wav").exists()
    assert cli(*arguments).status == 0, "again: what is there is its own"
    make_audio("codes.wav").replace(folder / "wav" / "codes.wav")
    refused(["decode", folder, folder / "wav", *anna], "codes.wav: is there already", "--force")


def test_clipping_is_said(cli, anna, codes, tmp_path, monkeypatch):
    from vqspeech.codec import Codec

    monkeypatch.setattr(Codec, "decode_file", lambda *a, **k: (1920, 12))
    result = cli("decode", codes, tmp_path / "out.wav", *anna)
    assert result.err[0] == clipping_message(tmp_path / "out.wav", 12, 1920)


def test_speaker_is_needed(refused, tiny_model, codes, tmp_path):
    arguments = ["decode", codes, tmp_path / "out.wav", "--model", tiny_model]
    refused(arguments, "3 speakers", "--speaker", "vqspeech speakers")
    line = refused([*arguments, "--speaker", "ana"], "'ana'", "anna", "vqspeech speakers")
    assert "bert" not in line


def test_a_model_of_one_speaker_needs_no_name(cli, tiny_config, codes, tmp_path):
    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.checkpoint.speakers import Speaker
    from vqspeech.nn.vqvae import VQVAE

    rows = [Speaker("me")]
    save_checkpoint(VQVAE(tiny_config, 1), rows, tmp_path / "model", {"codes": 1, "waveform": 1})
    arguments = ["decode", codes, tmp_path / "out.wav", "--model", tmp_path / "model"]
    assert cli(*arguments, "--preview").status == 0


def test_an_untrained_wavenet_is_refused(refused, tiny_config, codes, tmp_path):
    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.checkpoint.speakers import Speaker
    from vqspeech.nn.vqvae import VQVAE

    rows = [Speaker("me")]
    save_checkpoint(VQVAE(tiny_config, 1), rows, tmp_path / "model", {"codes": 1})
    arguments = ["decode", codes, tmp_path / "out.wav", "--model", tmp_path / "model"]
    refused(arguments, "no trained WaveNet", "--preview")


def test_options_that_do_nothing(refused, anna, codes, tmp_path):
    out = tmp_path / "out.wav"
    refused(["decode", codes, out, *anna, "--preview", "--temperature", 1], "--temperature")
    refused(["decode", codes, out, *anna, "--preview", "--no-postfilter"], "--no-postfilter")
    refused(["decode", codes, out, *anna, "--format", "wav"], "--format")


def npy(array) -> bytes:
    import io

    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def huge_header() -> bytes:
    text = b"{'descr': '<u2', 'fortran_order': False, 'shape': (4611686018427387904,)}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(10)


BAD_CODES = {
    "pickle": (pickle.dumps([1, 2]), "never loaded"),
    "objects": (npy(np.array([{}], object)), "never loaded"),
    "2-D": (npy(np.zeros((2, 2), np.uint16)), "2 levels"),
    "float": (npy(np.zeros(3)), "float64"),
    "negative": (npy(np.array([0, -7])), "-7"),
    "out of range": (npy(np.array([0, 4])), "code 4, the model's codes are 0 to 3"),
    "no codes": (npy(np.zeros(0, np.uint16)), "no codes"),
    "empty": (b"", "empty"),
    "huge header": (huge_header(), "cut off or damaged"),
    "cut off": (npy(np.zeros(9, np.uint16))[:-3], "cut off"),
    "too long": (npy(np.zeros(9, np.uint16)) + b"more", "4 bytes after"),
    "audio": (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not a .npy file"),
}


@pytest.mark.parametrize("kind", BAD_CODES)
def test_bad_codes(refused, anna, tmp_path, kind):
    content, word = BAD_CODES[kind]
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    refused(["decode", path, tmp_path / "out.wav", *anna], path, word)


def test_missing_codes(refused, anna, tmp_path):
    refused(["decode", tmp_path / "none.npy", tmp_path / "out.wav", *anna], "no such file")
    (tmp_path / "empty").mkdir()
    refused(["decode", tmp_path / "empty", tmp_path / "out", *anna], "no files")


@pytest.mark.parametrize("name", ["none/out.wav", "folder.wav", "out.mp3", "x" * 300 + ".wav"])
def test_unwritable_output(refused, anna, codes, tmp_path, name):
    (tmp_path / "folder.wav").mkdir()
    refused(["decode", codes, tmp_path / name, *anna, "--preview"], name)


def test_interrupted_decoding_leaves_nothing(cli, anna, codes, tmp_path, monkeypatch):
    from vqspeech.audio.writing import Writer

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Writer, "add", interrupt)
    result = cli("decode", codes, tmp_path / "out.wav", *anna, "--preview")
    assert result.status == 130 and len(result.err) == 1
    assert list(tmp_path.iterdir()) == [codes]
