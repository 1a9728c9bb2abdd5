"""Voice files: there and back, and what is refused."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from vqspeech import Codec, Codes, InputError
from vqspeech.checkpoint.voices import (
    BY_ENCODE,
    FORMAT,
    Voice,
    check_name,
    load_voice,
    save_voice,
    voice_about,
)


@pytest.fixture
def voice(tmp_path):
    path = tmp_path / "new.safetensors"
    save_voice(path, Voice("Eva", np.arange(4, dtype=np.float32), "feed", 30.0, 201.5))
    return path


def test_a_voice_comes_back(voice):
    found = load_voice(voice, "feed", 4)
    assert (found.name, found.model, found.seconds, found.f0) == ("Eva", "feed", 30.0, 201.5)
    np.testing.assert_array_equal(found.vector, [0, 1, 2, 3])
    assert [path.name for path in voice.parent.iterdir()] == ["new.safetensors"]


def test_what_a_voice_says_of_itself(voice, tmp_path):
    assert "by" not in voice_about(voice) and voice_about(voice)["name"] == "Eva"
    save_voice(voice, Voice("Eva", np.zeros(4, np.float32), "feed", 1.0), BY_ENCODE)
    assert voice_about(voice)["by"] == BY_ENCODE and load_voice(voice, "feed", 4).name == "Eva"
    (tmp_path / "text.safetensors").write_text("hello")
    save_file({"vector": np.zeros(4, "f4")}, tmp_path / "other.safetensors")
    for name in "text.safetensors", "other.safetensors", "none.safetensors", "":
        assert voice_about(tmp_path / name) == {}


def test_a_voice_of_another_model_is_refused(voice):
    with pytest.raises(InputError, match="enrolled for model feed, this is beef"):
        load_voice(voice, "beef", 4)
    with pytest.raises(InputError, match="does not fit"):
        load_voice(voice, "feed", 5)


BAD = {
    "nothing": (None, "no such voice"),
    "empty": (b"", "cannot be read"),
    "text": (b"hello" * 40, "cannot be read"),
    "huge header": (b"\xff" * 16, "cannot be read"),
    "too large": (bytes(2 << 20), "too large"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files(tmp_path, kind):
    content, words = BAD[kind]
    path = tmp_path / "bad.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        load_voice(path, "feed", 4)


@pytest.mark.parametrize(
    ("tensors", "about", "words"),
    [
        ({"vector": np.zeros(4, "f4")}, {}, "is not a voice"),
        ({"weights": np.zeros(4, "f4")}, {"format": FORMAT, "model": "feed"}, "is not a voice"),
        ({"vector": np.zeros(4, "i4")}, {"format": FORMAT, "model": "feed"}, "does not fit"),
        ({"vector": np.full(4, np.nan, "f4")}, {"seconds": "9", "f0": "0"}, "impossible"),
        ({"vector": np.zeros(4, "f4")}, {"seconds": "9", "f0": "nan"}, "impossible"),
        ({"vector": np.zeros(4, "f4")}, {"seconds": "long", "f0": "0"}, "cannot be read"),
    ],
)
def test_files_that_are_no_voices(tmp_path, tensors, about, words):
    path = tmp_path / "bad.safetensors"
    if "seconds" in about:
        about |= {"format": FORMAT, "model": "feed"}
    save_file(tensors, path, about)
    with pytest.raises(InputError, match=words):
        load_voice(path, "feed", 4)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_names_that_no_voice_can_have(name):
    with pytest.raises(InputError, match="printable name"):
        check_name(name)


@pytest.mark.parametrize("target", ["voice.wav", "none/voice.safetensors", "."])
def test_places_where_no_voice_can_go(tmp_path, target):
    with pytest.raises(InputError):
        save_voice(tmp_path / target, Voice("Eva", np.zeros(4, "f4"), "feed", 1.0))


def test_a_file_stands_where_a_name_does(tiny_model, tmp_path):
    codec = Codec.from_pretrained(tiny_model, device="cpu")
    vector = codec.model.speakers.weight[1].numpy(force=True)
    path = tmp_path / "bert.safetensors"
    save_voice(path, Voice("bert's twin", vector, codec.fingerprint, 1.0, 110.0))
    codes = Codes(np.array([0, 3, 1, 2]), 1280, 320)
    for preview in (False, True):
        twin = codec.decode(codes, path, preview=preview)
        np.testing.assert_array_equal(twin, codec.decode(codes, "bert", preview=preview))
    assert codec.speaker_f0(str(path)) == 110.0 and codec.speaker_f0("bert") == 0.0


def test_a_name_that_is_no_utf8(tmp_path):
    """As of a file: it is a label only."""
    path = tmp_path / "v.safetensors"
    save_voice(path, Voice("\udcffx", np.ones(4, np.float32), "abc", 1.0))
    assert load_voice(path, "abc", 4).name == "?x"
