"""Where a model is: a folder, a name on the hub, or the shipped one."""

import shutil
import sys

import pytest

from vqspeech import InputError
from vqspeech.checkpoint.location import resolve


def refused(name, *words):
    with pytest.raises(InputError) as caught:
        resolve(name)
    message = str(caught.value)
    assert "\n" not in message and str(name) in message and ";" in message
    for word in words:
        assert word in message, message


def test_folders(tiny_model, tmp_path):
    assert resolve(tiny_model) == resolve(str(tiny_model)) == tiny_model
    refused(tmp_path / "none", "no such model folder", "--model")
    refused(tiny_model / "config.json", "is a file")


def test_the_folder_of_a_run(tiny_model, tmp_path):
    (tmp_path / "run").mkdir()
    assert resolve(tmp_path / "run") == tmp_path / "run"
    shutil.copytree(tiny_model, tmp_path / "run" / "model")
    assert resolve(tmp_path / "run") == resolve(f"{tmp_path}/run/") == tmp_path / "run" / "model"
    (tmp_path / "run" / "config.json").write_text("{}")  # the run's own, as training keeps it
    assert resolve(tmp_path / "run") == tmp_path / "run" / "model"
    (tmp_path / "run" / "model.safetensors").touch()  # a model that has a folder of that name
    assert resolve(tmp_path / "run") == tmp_path / "run"


@pytest.mark.parametrize("name", [3, b"run", ["run"], 1.5, True])
def test_what_is_no_name(name):
    with pytest.raises(InputError, match="named by its folder"):
        resolve(name)


def test_a_hub_name(tiny_model, monkeypatch):
    asked = []

    def snapshot_download(name, allow_patterns):
        asked.append((name, sorted(allow_patterns)))
        return str(tiny_model)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert resolve("someone/model") == tiny_model
    files = ["README.md", "config.json", "model.safetensors", "prior.safetensors"]
    assert asked == [("someone/model", files)]


def test_an_unknown_hub_name(monkeypatch):
    def snapshot_download(name, allow_patterns):
        raise ConnectionError("no\nnetwork")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    refused("someone/model", "no such folder", "no network")


def test_a_hub_name_without_the_hub(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    refused("someone/model", "pip install huggingface_hub")


def test_the_shipped_model_is_the_default():
    assert resolve(None).parts[-3:] == ("vqspeech", "models", "base")
