"""The training graph: which terms there are, what they are, and what freezing means."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from vqspeech.nn.vqvae import VQVAE

SPEAKERS = torch.tensor([1, 0])


def crops(config, frames=40):
    return 0.1 * torch.randn(2, frames * config.hop)


def ready(config):
    """A model whose codes are initialised."""
    model = VQVAE(config, 3).train()
    with torch.no_grad():
        model(crops(config), SPEAKERS, with_decoder=False)
    return model


@torch.no_grad()
def test_terms_of_every_preset(narrow):
    losses = ready(narrow)(crops(narrow), SPEAKERS)
    assert (losses.mel is not None) == narrow.conditioning.auxiliary
    # An untrained network knows next to nothing: ln 256 nats a sample.
    assert float(losses.nats) == pytest.approx(math.log(256), rel=0.1)
    assert float(losses.usage.sum()) == 80
    for term in (losses.codebook, losses.commitment):
        assert term.dim() == 0 and float(term) > 0


def test_without_decoder_there_is_no_likelihood(narrow_base):
    assert ready(narrow_base)(crops(narrow_base), SPEAKERS, with_decoder=False).nats is None


@torch.no_grad()
def test_terms_by_hand(narrow_base):
    model, wave = ready(narrow_base).eval(), crops(narrow_base)
    losses = model(wave, SPEAKERS)
    z = model.quantizer.norm(model.encoder(wave))
    z_q = model.quantizer.lookup(model.encode(wave))
    distance = (z - z_q).square().mean()
    torch.testing.assert_close(losses.codebook, distance, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(losses.commitment, distance, rtol=1e-4, atol=1e-6)
    hidden = model.hidden(model.encode(wave), model.speakers(SPEAKERS))
    mel = (model.conditioning.log_mel(hidden) - model.target_mel(wave)).abs().mean()
    torch.testing.assert_close(losses.mel, mel, rtol=1e-4, atol=1e-5)
    target = model.decoder.encode(wave)
    logits = model.decoder(target, hidden)
    nats = F.cross_entropy(logits.flatten(0, 2), target.flatten())
    torch.testing.assert_close(losses.nats, nats, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_window_counts_only_steps_with_their_whole_past(narrow_base):
    model, wave = ready(narrow_base).eval(), crops(narrow_base)
    first, last = 12, 30
    steps, reach = narrow_base.steps_per_frame, narrow_base.decoder.receptive_field
    losses = model(wave, SPEAKERS, window=(first, last))
    hidden = model.hidden(model.encode(wave), model.speakers(SPEAKERS))
    target = model.decoder.encode(wave)
    nats = model.decoder.nats(model.decoder(target, hidden), target)
    inside = nats[:, first * steps + reach : last * steps].mean() / narrow_base.decoder.bands
    torch.testing.assert_close(losses.nats, inside, rtol=1e-4, atol=1e-5)
    assert abs(float(inside) - float(model(wave, SPEAKERS).nats)) > 1e-5


def test_frozen_codes_do_not_move_even_in_training_mode(narrow_base):
    model = ready(narrow_base)
    frozen = torch.nn.ModuleList([model.encoder, model.quantizer])
    before = copy.deepcopy(frozen.state_dict())
    model.train()
    losses = model(crops(narrow_base), SPEAKERS, freeze_codes=True)
    (losses.nats + losses.mel + losses.commitment + losses.codebook).backward()
    after = frozen.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(parameter.grad is None for parameter in frozen.parameters())
    assert bool(model.conditioning.stem.linear.weight.grad.any())
    model.train()
    model(crops(narrow_base), SPEAKERS)
    assert not torch.equal(before["1.counts"], frozen.state_dict()["1.counts"])


@torch.no_grad()
def test_encode_and_hidden_shapes(narrow):
    model = VQVAE(narrow, 3).eval()
    indices = model.encode(0.1 * torch.randn(2, 5 * narrow.hop + 1))
    assert indices.shape == (2, 6) and indices.dtype == torch.int64
    hidden = model.hidden(indices, model.speakers(SPEAKERS))
    assert hidden.shape == (2, narrow.conditioning.channels, 6)
