import numpy as np
import pytest
import soundfile

from vqspeech.checkpoint.voices import Voice, save_voice
from vqspeech.codec import Codec


@pytest.fixture
def model(tiny_prior_model):
    return ["--model", tiny_prior_model]


def test_one(cli, model, tmp_path):
    out, codes = tmp_path / "out.wav", tmp_path / "out.npy"
    options = ["--seconds", 0.5, "--codes", codes, "--seed", 7]
    result = cli("generate", out, "--speaker", "anna", *options, *model)
    assert (result.status, result.out) == (0, "")
    assert result.err == [f"vqspeech: wrote {out} (0.50 s, speaker anna, seed 7)"]
    first, _ = soundfile.read(out)
    assert len(first) == 8000 and np.load(codes).shape == (25,)
    assert cli("generate", out, "--speaker", "anna", *options, *model).status == 0
    assert np.array_equal(soundfile.read(out)[0], first)
    # The codes decode to the same file.
    again = tmp_path / "again.wav"
    assert cli("decode", codes, again, "--speaker", "anna", "--seed", 7, *model).status == 0
    assert np.array_equal(soundfile.read(again)[0], first)


def test_several(cli, model, tmp_path):
    result = cli(
        "generate", tmp_path / "a.flac", "--count", 10, "--seconds", 0.2, "--seed", 3, "--preview",
        "--codes", tmp_path / "c.npy", *model,
    )  # fmt: skip
    assert result.status == 0 and len(result.err) == 10
    names = [f"a-{i:02d}.flac" for i in range(1, 11)] + [f"c-{i:02d}.npy" for i in range(1, 11)]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert "seed 3" in result.err[0] and "seed 12" in result.err[9]
    assert "PREVIEW" in result.err[0]
    found = {np.load(tmp_path / name).tobytes() for name in names[10:]}
    assert len(found) > 5, "other seeds, other codes"


def test_a_prompt(cli, model, tmp_path, make_audio):
    source, codes = make_audio(seconds=1.0), tmp_path / "c.npy"
    cli("encode", source, tmp_path / "in.npy", *model)
    result = cli(
        "generate", tmp_path / "out.wav", "--prompt", source, "--prompt-seconds", 0.4,
        "--seconds", 0.2, "--preview", "--codes", codes, *model,
    )  # fmt: skip
    assert result.status == 0 and f"the first 0.40 s from {source}" in result.err[-1]
    assert np.array_equal(np.load(codes)[:20], np.load(tmp_path / "in.npy")[:20])
    assert len(np.load(codes)) == 30 and soundfile.info(tmp_path / "out.wav").frames == 9600


def test_codes_go_with_their_sound(cli, model, tmp_path, monkeypatch):
    """Also where the sound is interrupted."""
    generate = ["generate", tmp_path / "out.wav", "--codes", tmp_path / "out.npy", *model]
    generate += ["--seconds", 0.2, "--preview"]
    assert cli(*generate, "--seed", 1).status == 0
    before = [(tmp_path / name).read_bytes() for name in ("out.wav", "out.npy")]

    def interrupted(*codes, **how):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Codec, "decode_file", interrupted)
        assert cli(*generate, "--seed", 2).status == 130
    assert [(tmp_path / name).read_bytes() for name in ("out.wav", "out.npy")] == before
    assert cli(*generate, "--seed", 2).status == 0
    assert (tmp_path / "out.npy").read_bytes() != before[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seconds", "0"], ["--seconds"]),
        (["--temperature", "3"], ["--temperature"]),
        (["--top-p", "0"], ["--top-p"]),
        (["--count", "0"], ["--count"]),
        (["--speaker", "nobody"], ["no speaker 'nobody'"]),
        (["--codes", "x.wav"], [".npy"]),
        (["--prompt", "none.wav"], ["none.wav", "no such file"]),
        (["--prompt-seconds", "1"], ["--prompt"]),
        (["--seed", "-1"], ["--seed"]),
    ],
)
def test_bad_options(refused, model, tmp_path, options, words):
    refused(["generate", tmp_path / "out.wav", *options, *model], *words)


def test_bad_outputs(refused, model, tmp_path):
    refused(["generate", tmp_path / "out.mp3", *model], "out.mp3", ".wav")
    refused(["generate", tmp_path / "none" / "out.wav", *model], "does not exist")


def test_a_model_without_a_prior(refused, tmp_path, tiny_model):
    refused(["generate", tmp_path / "o.wav", "--model", tiny_model], "no prior", "--stage prior")


def test_a_voice_file_is_a_speaker(cli, model, tiny_prior_model, tmp_path):
    codec = Codec.from_pretrained(tiny_prior_model, device="cpu")
    vector = codec.speaker_vector("anna").detach().numpy()[0]
    voice, out = tmp_path / "eva.safetensors", tmp_path / "out.wav"
    save_voice(voice, Voice("Eva", vector, codec.fingerprint, 30.0, 150.0))
    usual = ["--seconds", 0.2, "--preview", "--speaker", voice]
    assert cli("generate", out, *usual, *model).status == 0
    assert soundfile.info(out).frames == 3200
    make = ["encode", out, tmp_path / "out.vqs", "--speaker", voice, *model]
    assert cli(*make).status == 0
    kept, named, _ = codec.load_vqs(tmp_path / "out.vqs")
    assert named is None
    np.testing.assert_allclose(kept.voice, vector, atol=0.005 * np.abs(vector).max())
