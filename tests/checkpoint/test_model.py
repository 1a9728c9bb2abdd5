import json
import shutil
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from vqspeech.checkpoint import model as checkpoint
from vqspeech.checkpoint.about import read_about
from vqspeech.checkpoint.identity import fingerprint
from vqspeech.checkpoint.model import Packing, load_checkpoint, save_checkpoint
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.errors import InputError


@pytest.fixture
def folder(tiny_model, tmp_path):
    """A copy of the tiny model to break."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def refused(name, *words):
    """The error's one line; it names the model and says what to do."""
    with pytest.raises(InputError) as caught:
        load_checkpoint(name)
    message = str(caught.value)
    assert "\n" not in message and str(name) in message and len(message) < 600
    assert ";" in message
    for word in words:
        assert word in message, message


def edit_config(folder, edit):
    path = folder / "config.json"
    about = json.loads(path.read_text())
    edit(about)
    path.write_text(json.dumps(about))


def edit_weights(folder, edit):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)


def test_round_trip(tiny_model, tiny_config, tmp_path):
    one = load_checkpoint(tiny_model)
    assert one.about.config == tiny_config and not one.model.training
    assert [row.name for row in one.about.speakers] == ["anna", "bert", "other"]
    assert one.about.trained == {"codes": 10, "waveform": 10}
    assert one.about.fingerprint == fingerprint(one.model.state_dict())
    again = tmp_path / "deep" / "again"
    packing = Packing(card="# Mine\n")
    save_checkpoint(one.model, one.about.speakers, again, one.about.trained, packing=packing)
    two = load_checkpoint(str(again))
    assert two.about == one.about
    for name, tensor in one.model.state_dict().items():
        assert torch.equal(tensor, two.model.state_dict()[name]), name
    assert (again / "README.md").read_text() == "# Mine\n"
    assert "3 speaker identities" in (tiny_model / "README.md").read_text()


def test_half_precision_weights_are_widened(folder):
    one = load_checkpoint(folder)
    half = Packing(dtype=torch.float16)
    save_checkpoint(one.model, one.about.speakers, folder, one.about.trained, packing=half)
    assert load_file(folder / "model.safetensors")["decoder.output.bias"].dtype == torch.float16
    model = load_checkpoint(folder).model
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_an_older_checkpoint_is_replaced_whole(folder, tiny_config):
    (folder / "stale.txt").touch()
    one = load_checkpoint(folder)
    save_checkpoint(one.model, one.about.speakers[:3], folder, {"codes": 99})
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert [p.name for p in folder.parent.iterdir()] == ["model"]
    assert read_about(folder).trained == {"codes": 99}


def test_a_failed_save_leaves_the_old_checkpoint(folder, monkeypatch):
    one = load_checkpoint(folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(one.model, one.about.speakers, folder, {"codes": 99})
    assert load_checkpoint(folder).about == one.about
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_places_that_hold_no_model(folder, tmp_path):
    refused(tmp_path / "none", "no such model folder")
    (tmp_path / "other").mkdir()
    refused(tmp_path / "other", "is not a model", "config.json")
    refused(folder / "model.safetensors", "is a file")
    refused(tmp_path / ("x" * 300), "no such model folder")
    (folder / "model.safetensors").unlink()
    refused(folder, "model.safetensors", "cannot be read")
    (folder / "model.safetensors").mkdir()
    refused(folder, "model.safetensors", "cannot be read")


def test_a_missing_tensor(folder):
    edit_weights(folder, lambda tensors: tensors.pop("decoder.output.bias"))
    refused(folder, "lacks tensor", "decoder.output.bias")


def test_an_unknown_tensor(folder):
    edit_weights(folder, lambda tensors: tensors.update({"evil\nname" * 99: torch.zeros(1)}))
    refused(folder, "unknown tensor", "evil")


def test_a_wrong_shape(folder):
    edit_weights(
        folder, lambda tensors: tensors.update({"quantizer.books.0.codebook": torch.zeros(4, 9)})
    )
    refused(folder, "quantizer.books.0.codebook", "[4, 9]", "[4, 8]")


def test_weights_of_another_model_of_the_same_shape(folder):
    """Half of a newer model was copied: its speakers are others."""
    edit_weights(folder, lambda tensors: tensors["speakers.weight"].copy_(torch.ones(3, 4)))
    refused(folder, "model.safetensors", "not those that config.json names")


def test_too_few_speaker_rows(folder):
    edit_config(folder, lambda about: about["speakers"].pop())
    refused(folder, "speakers.weight", "[3, 4]", "[2, 4]")


def test_a_wrong_type(folder):
    whole = torch.zeros(4, 8, dtype=torch.int64)
    edit_weights(folder, lambda tensors: tensors.update({"quantizer.books.0.codebook": whole}))
    refused(folder, "quantizer.books.0.codebook", "I64")
    wide = torch.zeros(4, 8, dtype=torch.float64)
    edit_weights(folder, lambda tensors: tensors.update({"quantizer.books.0.codebook": wide}))
    refused(folder, "quantizer.books.0.codebook", "F64")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(folder, value):
    edit_weights(folder, lambda tensors: tensors["decoder.output.bias"].fill_(value))
    refused(folder, "decoder.output.bias", "NaN or infinite")


def test_hostile_lengths(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    header = whole[8 : 8 + size]
    for content in (
        b"",
        whole[:4],
        whole[:-1],
        whole[: 8 + size // 2],
        whole + b"more",
        struct.pack("<Q", 2**63) + whole[8:],
        struct.pack("<Q", 50_000_000) + whole[8:],
        struct.pack("<Q", size) + b"\xff" * size + whole[8 + size :],
        struct.pack("<Q", size) + header.replace(b'"shape":[4,8]', b'"shape":[4,9]', 1),
        b"PK\x03\x04 a zip file, as pickled checkpoints are",
    ):
        path.write_bytes(content)
        refused(folder, "model.safetensors", "cannot be read")


def test_a_huge_configuration_takes_no_memory(folder):
    def edit(about):
        about["config"]["encoder"] |= {"channels": 4096, "coarse_dilations": [1] * 64}
        about["config"]["conditioning"] |= {"channels": 4096, "dilations": [1] * 64}

    edit_config(folder, edit)
    refused(folder, "tensor")


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (lambda a: a["config"]["encoder"].update(chanels=1), "chanels"),
        (lambda a: a["config"].update({"k" * 9000: 1}), "kkk"),
        (lambda a: a["config"].update(hop=0), "hop"),
        (lambda a: a["config"].update(hop=321), "hop"),
        (lambda a: a["config"].update(hop="320"), "hop"),
        (lambda a: a["config"].update(hop=True), "hop"),
        (lambda a: a["config"]["decoder"].update(temperature=10**400), "temperature"),
        (lambda a: a["config"]["quantizer"].update(ema_decay=float("nan")), "ema_decay"),
        (lambda a: a["config"]["encoder"].update(coarse_dilations=[1] * 99), "at most 64"),
        (lambda a: a["config"]["encoder"].update(kind=["logmel"]), "kind"),
        (lambda a: a["config"].pop("name"), "name"),
        (lambda a: a.pop("config"), "table"),
        (lambda a: a.update(config=[1]), "table"),
        (lambda a: a.update(format=1), "use vqspeech 0.1.0"),
        (lambda a: a.update(format="x" * 9000), "format"),
        (lambda a: a.pop("trained"), "trained"),
        (lambda a: a.update(trained={"codes": "many"}), "trained"),
        (lambda a: a.update(speakers=[]), "speakers"),
        (lambda a: a.update(speakers={"anna": 1}), "speakers"),
        (lambda a: a.update(speakers=["anna", "bert", "other"]), "[speakers]"),
        (lambda a: a["speakers"][0].update(name=3), "speakers.name"),
        (lambda a: a["speakers"][0].pop("name"), "'name'"),
        (lambda a: a["speakers"][0].update(gender=None), "gender"),
        (lambda a: a["speakers"][0].update(gender="x"), "gender"),
        (lambda a: a["speakers"][0].update(minutes=10**400), "minutes"),
        (lambda a: a["speakers"][0].update(minutes="12"), "minutes"),
        (lambda a: a["speakers"][0].update(minutes=float("nan")), "minutes"),
        (lambda a: a["speakers"][0].update(f0=-1), "f0"),
        (lambda a: a["speakers"][0].update(name="bert"), "twice"),
    ],
)
def test_bad_configurations(folder, edit, word):
    edit_config(folder, edit)
    refused(folder, "config.json", word)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "null", "[1]", '{"format": 1' + "0" * 5000 + "}", "\xff"]
)
def test_configurations_that_are_no_json_table(folder, text):
    (folder / "config.json").write_text(text, encoding="latin-1")
    refused(folder, "config.json")


def test_a_configuration_too_large(folder, monkeypatch):
    monkeypatch.setattr("vqspeech.checkpoint.about.MAX_CONFIG_BYTES", 100)
    refused(folder, "config.json", "too large")


def test_speakers_may_lack_gender_and_minutes(folder):
    edit_config(folder, lambda about: about["speakers"].__setitem__(0, {"name": "anna"}))
    assert read_about(folder).speakers[0] == Speaker("anna")


def test_a_folder_that_is_no_model_is_not_replaced(tiny_config, tmp_path):
    from vqspeech.nn.vqvae import VQVAE

    model, mine = VQVAE(tiny_config, 1), tmp_path / "mine"
    mine.mkdir()
    save_checkpoint(model, [Speaker("me")], mine, {})  # nothing is lost
    save_checkpoint(model, [Speaker("me")], mine, {})
    (mine / "model.safetensors").rename(mine / "notes.txt")
    before = sorted(tmp_path.rglob("*"))
    for place in (mine, mine / "notes.txt"):
        with pytest.raises(InputError, match="is no model, and would be replaced"):
            save_checkpoint(model, [Speaker("me")], place, {})
    assert sorted(tmp_path.rglob("*")) == before
