"""Names for weights: they hang on values and declared names, not on what attributes are called."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file

from vqspeech.checkpoint import identity
from vqspeech.checkpoint.identity import codes_identity, declared, fingerprint
from vqspeech.checkpoint.location import resolve
from vqspeech.checkpoint.model import load_checkpoint
from vqspeech.checkpoint.prior import load_prior
from vqspeech.config.reading import load_preset
from vqspeech.nn.prior import Prior
from vqspeech.nn.vqvae import VQVAE

CODES, PRIOR, MODEL = "66217ef4ad08827c", "3a35375d735cf10f", "07b8c6a652315b60"
"""Of the shipped model: its `.vqs` files, its prior and its enrolled voices name them."""

NAMES = """
conditioning.blocks.N.dilated.linear.bias conditioning.blocks.N.dilated.linear.weight
conditioning.blocks.N.mix.bias conditioning.blocks.N.mix.weight conditioning.blocks.N.scale.weight
conditioning.blocks.N.speaker.weight conditioning.detail.weight conditioning.head.bias
conditioning.head.weight conditioning.level.weight conditioning.pitch_head.bias
conditioning.pitch_head.weight conditioning.speaker.bias conditioning.speaker.weight
conditioning.stem.linear.bias conditioning.stem.linear.weight conditioning.turn.weight
conditioning.upper.weight decoder.condition.bias decoder.condition.weight decoder.embedding
decoder.excite.weight decoder.hidden.bias decoder.hidden.weight decoder.output.bias
decoder.output.weight decoder.scale decoder.stack.gates.N.weight decoder.stack.residual.N.bias
decoder.stack.residual.N.weight decoder.stack.skip.bias decoder.stack.skip.weight
encoder.coarse.N.dilated.linear.bias encoder.coarse.N.dilated.linear.weight
encoder.coarse.N.mix.bias encoder.coarse.N.mix.weight encoder.down.N.linear.bias
encoder.down.N.linear.weight encoder.fine.N.dilated.linear.bias encoder.fine.N.dilated.linear.weight
encoder.fine.N.mix.bias encoder.fine.N.mix.weight encoder.project.bias encoder.project.weight
encoder.stem.linear.bias encoder.stem.linear.weight encoder.turn.weight levels.around.linear.bias
levels.around.linear.weight levels.out.bias levels.out.weight levels.quantizers.N.books.N.codebook
levels.quantizers.N.books.N.counts levels.quantizers.N.books.N.initialised
levels.quantizers.N.books.N.sums phonemes.around.linear.bias phonemes.around.linear.weight
phonemes.out.bias phonemes.out.weight quantizer.codebook quantizer.counts quantizer.initialised
quantizer.norm.num_batches_tracked quantizer.norm.running_mean quantizer.norm.running_var
quantizer.sums speaker_encoder.attention.weight speaker_encoder.blocks.N.linear.bias
speaker_encoder.blocks.N.linear.weight speaker_encoder.norms.N.bias speaker_encoder.norms.N.weight
speaker_encoder.project.bias speaker_encoder.project.weight speaker_encoder.stem.linear.bias
speaker_encoder.stem.linear.weight speakers.weight
"""
PRIOR_NAMES = """
condition.bias condition.weight embedding.weight hidden.bias hidden.weight output.bias output.weight
speakers.weight stack.gates.N.weight stack.residual.N.bias stack.residual.N.weight stack.skip.bias
stack.skip.weight
"""
"""Declared, once and for all. Who renames an attribute maps it back in `identity.DECLARED`."""


@pytest.fixture(scope="module")
def shipped():
    return load_checkpoint()


@pytest.fixture
def state(pitched_model):
    """Of a model that has every part, two codebooks among them."""
    return load_checkpoint(pitched_model).model.state_dict()


def kinds(tensors):
    return {re.sub(r"\d+", "N", name) for name in declared(tensors)}


def test_names_of_the_shipped_model(shipped):
    stored = load_file(shipped.folder / "model.safetensors")
    assert fingerprint(stored) == shipped.about.fingerprint == MODEL
    assert codes_identity(shipped.model.state_dict()) == codes_identity(stored) == CODES
    assert load_prior(shipped.folder, shipped.model).fingerprint == PRIOR
    assert json.loads((resolve(None) / "config.json").read_text())["fingerprint"] == MODEL


def test_every_tensor_has_a_declared_name(state):
    with torch.device("meta"):
        found = kinds(state)
        for preset in ("base", "paper", "phonemes"):
            config = load_preset(preset)
            found |= kinds(VQVAE(config, 2).state_dict())
        prior = Prior(load_preset("base").prior, load_preset("base").quantizer, 2)
    assert found == set(NAMES.split())
    assert kinds(prior.state_dict()) == set(PRIOR_NAMES.split())


def test_a_renamed_attribute_changes_no_name(state, monkeypatch):
    renamed = {k.replace("encoder.stem.", "encoder.first."): v for k, v in state.items()}
    assert renamed.keys() != state.keys()
    line = {r"^encoder\.first\.": "encoder.stem."}
    monkeypatch.setattr(identity, "DECLARED", identity.DECLARED | line)
    assert fingerprint(renamed) == fingerprint(state)
    assert codes_identity(renamed) == codes_identity(state)


def test_the_order_of_attributes_does_not_count(state):
    turned = dict(reversed(state.items()))
    assert list(turned) != list(state)
    assert fingerprint(turned) == fingerprint(state)


def test_every_value_counts(state):
    named, codes = fingerprint(state), codes_identity(state)
    for name, value in state.items():
        if name == "quantizer.books.1.initialised" or name.endswith("1.norm.num_batches_tracked"):
            continue  # one for all codebooks
        other = value.clone()
        flat = other.view(-1)
        flat[-1] = ~flat[-1] if other.dtype == torch.bool else flat[-1] + 1
        changed = state | {name: other}
        assert fingerprint(changed) != named, name
        is_code = name.startswith(("encoder.", "quantizer."))
        assert (codes_identity(changed) != codes) == is_code, name


def test_codebooks_are_not_interchangeable(state):
    swapped = dict(state)
    for part in ("codebook", "counts", "sums"):
        one, other = (f"quantizer.books.{book}.{part}" for book in range(2))
        swapped[one], swapped[other] = state[other], state[one]
    assert codes_identity(swapped) != codes_identity(state)
