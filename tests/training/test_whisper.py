"""Whisper's encoder from folders: good ones in both formats, and all kinds of bad ones."""

import os
import shutil
import sys

import pytest
import tiny_whisper
import torch
from safetensors.torch import load_file, save_file

from vqspeech.errors import InputError
from vqspeech.training.whisper import load_whisper

WEIGHTS = os.environ.get("VQSPEECH_WHISPER", "")
"""Folder of a real model, in CTranslate2's format."""


@pytest.fixture(scope="module")
def original():
    return tiny_whisper.model()


@pytest.fixture(scope="module")
def converted(original, tmp_path_factory):
    """Folder in CTranslate2's format."""
    folder = tmp_path_factory.mktemp("ct2") / "tiny-whisper"
    folder.mkdir()
    (folder / "model.bin").write_bytes(tiny_whisper.in_ctranslate2(original.encoder))
    return folder


@pytest.fixture(scope="module")
def saved(original, tmp_path_factory):
    """Folder in the format of `transformers`."""
    folder = tmp_path_factory.mktemp("hf") / "tiny-whisper"
    original.save_pretrained(folder)
    return folder


@torch.no_grad()
@pytest.mark.parametrize("kind", ["converted", "saved"])
def test_both_formats_give_the_encoder(original, kind, request):
    found = load_whisper(str(request.getfixturevalue(kind)))
    assert (found.name, found.mels, found.width) == ("tiny-whisper", 16, 12)
    assert (found.layers, found.heads, found.positions) == (3, 2, 50)
    features = torch.randn(2, 16, 100)
    wanted = original.encoder.eval()(features).last_hidden_state
    torch.testing.assert_close(found.encoder().eval()(features).last_hidden_state, wanted)


def test_the_same_weights_have_the_same_name(converted, saved, tmp_path):
    one, other = load_whisper(str(converted)), load_whisper(str(saved))
    assert one.fingerprint == other.fingerprint
    third = load_whisper(str(tiny_whisper.folder_of(tmp_path / "w", seed=1)))
    assert third.fingerprint != one.fingerprint


@torch.no_grad()
def test_first_layers_end_without_the_last_norm(converted, original):
    found, features = load_whisper(str(converted)), torch.randn(1, 16, 100)
    states = []
    hooks = [
        layer.register_forward_hook(lambda m, i, out: states.append(out))
        for layer in original.encoder.layers
    ]
    original.encoder.eval()(features)
    for hook in hooks:
        hook.remove()
    for count in (1, 2, 3):
        wanted = states[count - 1]
        wanted = wanted[0] if isinstance(wanted, tuple) else wanted
        out = found.encoder(count).eval()(features).last_hidden_state
        torch.testing.assert_close(out, wanted)


def test_a_file_and_a_name_of_nothing_are_refused(converted, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="is a file"):
        load_whisper(str(converted / "model.bin"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match=r"/nowhere/at-all: no such folder.*whisper-base"):
        load_whisper("/nowhere/at-all")
    with pytest.raises(InputError, match="holds no Whisper model") as found:
        load_whisper(str(tmp_path))
    assert "\n" not in str(found.value)


def damaged(content, kind):
    if kind == "empty":
        return b""
    if kind == "text":
        return b"this is no model at all, but some text\n" * 20
    if kind == "endless":  # says that it has more tensors than anybody's
        return content[:22] + b"\xff" * 8
    return content[: int(kind)]


@pytest.mark.parametrize("kind", ["empty", "text", "endless", "1", "5", "21", "40", "400", "9000"])
def test_damaged_files_are_refused(converted, tmp_path, kind):
    content = (converted / "model.bin").read_bytes()
    (tmp_path / "model.bin").write_bytes(damaged(content, kind))
    with pytest.raises(InputError, match=r"model\.bin: cannot be read") as found:
        load_whisper(str(tmp_path))
    assert "\n" not in str(found.value)


def test_quantised_weights_are_refused(original, tmp_path):
    content = tiny_whisper.in_ctranslate2(original.encoder, kind=1)
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(InputError, match="float16 or float32"):
        load_whisper(str(tmp_path))


def test_other_tensors_than_whispers_are_refused(original, tmp_path):
    content = tiny_whisper.in_ctranslate2(original.encoder)
    other = content.replace(b"encoder/conv2/weight", b"encoder/conv9/weight")
    (tmp_path / "model.bin").write_bytes(other)
    with pytest.raises(InputError, match="not those of Whisper's encoder"):
        load_whisper(str(tmp_path))


def test_another_network_of_transformers_is_refused(saved, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="holds no Whisper model"):
        load_whisper(str(tmp_path))


def test_what_transformers_would_make_up_is_refused(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "w")
    tensors = load_file(saved / "model.safetensors")
    del tensors["encoder.layers.1.fc1.weight"]
    save_file(tensors, tmp_path / "w" / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"holds no Whisper model.*layers\.1\.fc1\.weight"):
        load_whisper(str(tmp_path / "w"))


def test_a_whole_recogniser_has_the_encoder_too(original, converted, tmp_path):
    """As the hub has it: the same tensors under longer names."""
    from transformers import WhisperForConditionalGeneration

    whole = WhisperForConditionalGeneration(original.config)
    whole.model.load_state_dict(original.state_dict())
    whole.save_pretrained(tmp_path)
    found = load_whisper(str(tmp_path))
    assert found.fingerprint == load_whisper(str(converted)).fingerprint


@pytest.mark.parametrize("kind", ["converted", "saved"])
def test_without_the_extra(kind, request, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"pip install 'vqspeech\[teacher\]'"):
        load_whisper(str(request.getfixturevalue(kind)))


@pytest.mark.skipif(not WEIGHTS, reason="VQSPEECH_WHISPER names no folder with Whisper's weights")
def test_the_real_one():
    found = load_whisper(WEIGHTS)
    assert found.mels in (80, 128) and found.positions == 1500
    assert found.layers % 2 == 0 and found.width == 64 * found.heads
