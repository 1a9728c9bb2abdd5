import json
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from vqspeech.checkpoint.identity import codes_identity, fingerprint
from vqspeech.checkpoint.location import PRIOR_FILE
from vqspeech.checkpoint.model import Packing, load_checkpoint, save_checkpoint
from vqspeech.checkpoint.prior import load_prior, save_prior
from vqspeech.errors import InputError


@pytest.fixture
def folder(tiny_prior_model, tmp_path):
    """A copy of the tiny model with its prior, to break."""
    return shutil.copytree(tiny_prior_model, tmp_path / "model")


def load(folder):
    return load_prior(folder, load_checkpoint(folder).model)


def refused(folder, *words):
    with pytest.raises(InputError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message and str(folder) in message and ";" in message
    for word in words:
        assert word in message, message


def edit(folder, edit_tensors=None, **metadata):
    path = folder / PRIOR_FILE
    with safe_open(path, "pt") as file:
        about = file.metadata()
    tensors = load_file(path)
    if edit_tensors:
        edit_tensors(tensors)
    about = {key: value for key, value in (about | metadata).items() if value is not None}
    save_file(tensors, path, about)


def test_round_trip(folder, tmp_path):
    stored = load(folder)
    assert stored.speakers == ["anna", "bert", "other"] and not stored.prior.training
    identity = codes_identity(load_checkpoint(folder).model.state_dict())
    name = save_prior(stored.prior, stored.speakers, tmp_path, identity)
    assert name == stored.fingerprint
    half = save_prior(stored.prior, stored.speakers, folder, identity, torch.float16)
    assert load(folder).fingerprint == half != name


def test_a_prior_changes_nothing_else(tiny_model, tiny_prior_model):
    one, two = load_checkpoint(tiny_model), load_checkpoint(tiny_prior_model)
    assert one.about == two.about


def test_a_model_without(tiny_model):
    refused(tiny_model, "no prior", "--stage prior")


def test_codes_of_another_model(folder, tiny_config):
    from vqspeech.nn.vqvae import VQVAE

    torch.manual_seed(5)
    other = load_checkpoint(folder)
    with pytest.raises(InputError, match="fitted to codes"):
        load_prior(folder, VQVAE(tiny_config, 3))
    # The decoder and the number of speakers are no part of the codes.
    other.model.decoder.hidden.weight.data.zero_()
    assert load_prior(folder, other.model).speakers


@pytest.mark.parametrize(
    ("metadata", "word"),
    [
        ({"format": "7"}, "upgrade"),
        ({"format": None}, "format none"),
        ({"codes": "0" * 16}, "fitted to codes"),
        ({"config": "{"}, "not JSON"),
        ({"config": "[" * 100_000}, "not JSON"),
        ({"config": json.dumps({"layers": 1000})}, "layers"),
        ({"config": json.dumps({"colour": 1})}, "colour"),
        ({"config": json.dumps({"layers": 64, "residual_channels": 1024})}, "tensor"),
        ({"speakers": "3"}, "speakers"),
        ({"speakers": "[1, 2, 3]"}, "speakers"),
        ({"speakers": '["anna"]'}, "shape"),
        ({"fingerprint": "0" * 16}, "not those it names"),
    ],
)
def test_metadata_that_does_not_fit(folder, metadata, word):
    edit(folder, **metadata)
    refused(folder, word)


def test_a_changed_weight(folder):
    edit(folder, lambda tensors: tensors["output.bias"].add_(1e-3))
    refused(folder, "not those it names")


def test_values_that_are_not_finite(folder):
    edit(folder, lambda tensors: tensors["output.bias"].fill_(torch.nan))
    refused(folder, "NaN")


def test_a_damaged_file(folder):
    path = folder / PRIOR_FILE
    path.write_bytes(path.read_bytes()[:-9])
    refused(folder, "cannot be read")
    path.write_bytes(b"")
    refused(folder, "cannot be read")


def test_a_prior_stays_while_the_codes_do(folder):
    loaded = load_checkpoint(folder)
    loaded.model.decoder.hidden.weight.data.zero_()
    save_checkpoint(loaded.model, loaded.about.speakers, folder, {"waveform": 2})
    assert load(folder).speakers == ["anna", "bert", "other"]
    loaded.model.quantizer.books[0].codebook.data += 1
    save_checkpoint(loaded.model, loaded.about.speakers, folder, {"waveform": 3})
    assert not (folder / PRIOR_FILE).exists()


def test_identity_at_half_precision(folder):
    """Rounded weights have a name of their own, and the same one once they are widened."""
    loaded = load_checkpoint(folder)
    full = codes_identity(loaded.model.state_dict())
    save_checkpoint(
        loaded.model, loaded.about.speakers, folder, {}, packing=Packing(dtype=torch.float16)
    )
    assert not (folder / PRIOR_FILE).exists()
    rounded = load_checkpoint(folder).model.state_dict()
    assert codes_identity(rounded) != full
    halves = {k: v.half() if v.is_floating_point() else v for k, v in rounded.items()}
    assert codes_identity(halves) == codes_identity(rounded)
    assert fingerprint(halves) != fingerprint(rounded)
