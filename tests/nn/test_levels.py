"""Upper levels: each says what those below it leave, and none of it reaches the first."""

import copy
import dataclasses

import pytest
import torch
from crops import batch_of

from vqspeech.config.networks import QuantizerConfig
from vqspeech.nn.levels import UpperLevels, draw_counts
from vqspeech.nn.vqvae import VQVAE

K, D, LEVELS = 16, 5, 4


@pytest.fixture
def levels():
    made = UpperLevels(QuantizerConfig(codebook_size=K, codebooks=2, dim=D, levels=LEVELS))
    made.train()
    for _ in range(30):
        made(torch.randn(4, D, 50), torch.full((4,), LEVELS))
    return made.eval()


@pytest.fixture
def config(narrow_base):
    quantizer = dataclasses.replace(narrow_base.quantizer, levels=LEVELS)
    return dataclasses.replace(narrow_base, quantizer=quantizer)


@pytest.fixture
def model(config):
    made = VQVAE(config, 2).train()
    with torch.no_grad():
        for _ in range(4):
            made(batch_of(config), with_decoder=False, counts=torch.full((3,), LEVELS))
    return made.eval()


def test_what_is_left_falls_from_level_to_level(levels):
    left = torch.randn(3, D, 40)
    said = levels(left, torch.full((3,), LEVELS))
    errors = [float(left.square().mean()), *said.error.tolist()]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.5 * errors[0]
    torch.testing.assert_close((left - said.z).square().mean(), said.error[-1])
    assert said.usage.shape == (LEVELS - 1, 2 * K) and said.usage.sum(1).tolist() == 3 * [120]


def test_a_recording_has_as_many_levels_as_it_is_given(levels):
    left = torch.randn(LEVELS, D, 40)
    said = levels(left, torch.arange(1, LEVELS + 1)).z
    indices, _ = levels.encode_with_ties(left, LEVELS - 1)
    assert indices.shape == (LEVELS, LEVELS - 1, 40)
    assert not said[0].any()
    for row in range(1, LEVELS):
        torch.testing.assert_close(said[row], levels.lookup(indices[row : row + 1, :row])[0])
        fewer, _ = levels.encode_with_ties(left, row)
        assert torch.equal(fewer, indices[:, :row]), "levels below do not depend on those above"


def test_each_level_takes_the_nearest_code(levels):
    left = torch.randn(1, D, 9)
    indices, ties = levels.encode_with_ties(left, LEVELS - 1)
    assert not ties.any()
    for level, quantizer in enumerate(levels.quantizers):
        for frame in range(9):
            codes = quantizer.books[frame % 2].codebook
            nearest = (codes - left[0, :, frame]).norm(dim=1).argmin()
            assert int(indices[0, level, frame]) == int(nearest)
        left = left - quantizer.lookup(indices[:, level])


def test_counts_are_of_every_number():
    counts = draw_counts(LEVELS, 4000, torch.device("cpu"))
    shares = torch.bincount(counts, minlength=LEVELS + 1) / len(counts)
    assert shares.tolist() == pytest.approx([0, 0.4, 0.2, 0.2, 0.2], abs=0.03)


def test_first_level_is_what_it_was(model, config):
    """Its codes, and what is predicted from them alone, know nothing of the upper ones."""
    wave, speaker = batch_of(config).wave, model.speakers.weight[:1].expand(3, -1)
    one, four = model.encode(wave), model.encode(wave, levels=LEVELS)
    assert one.shape == (3, 20) and four.shape == (3, LEVELS, 20)
    assert torch.equal(four[:, 0], one)
    alone = copy.deepcopy(model)
    for parameter in alone.levels.parameters():
        parameter.data.normal_()
    assert torch.equal(alone.encode(wave), one)
    with torch.no_grad():
        hidden = model.hidden(one, speaker)
        assert torch.equal(alone.hidden(one, speaker), hidden)
        assert torch.equal(model.hidden(four[:, :1], speaker), hidden)
        assert not torch.equal(model.hidden(four, speaker), hidden)
        assert not torch.equal(model.hidden(four, speaker), model.hidden(four[:, :2], speaker))


def test_training_and_use_see_the_same(model, config):
    batch = batch_of(config)
    counts = torch.tensor([1, 2, 4])
    with torch.no_grad():
        quantized = model.quantizer(model.encoder(batch.wave))
        found = model.conditioning(
            quantized.z_q + model.levels(quantized.left, counts).z,
            model.speakers(batch.speaker),
            counts,
        )
        for row, count in enumerate(counts.tolist()):
            indices = model.encode(batch.wave[row : row + 1], levels=count)
            hidden = model.hidden(indices, model.speakers(batch.speaker[row : row + 1]))
            torch.testing.assert_close(found[row : row + 1], hidden)


def test_codes_do_not_depend_on_what_is_encoded_beside_them(model, config):
    wave = batch_of(config, 2, 30).wave
    lengths = torch.tensor([30 * config.hop, 17 * config.hop - 9])
    wave[1, lengths[1] :] = 0
    together = model.encode(wave, lengths, LEVELS)
    alone = model.encode(wave[1:, : lengths[1]], levels=LEVELS)
    assert torch.equal(together[1:, :, :17], alone)


def test_ties_of_an_upper_level_are_decided_from_their_own_samples(model, config, monkeypatch):
    wave = batch_of(config, 1, 100).wave
    known = model.encode(wave, levels=LEVELS)
    top = model.levels.quantizers[-1]
    plain, pieces = top.encode_with_ties, []

    def tied(z):
        indices, ties = plain(z)
        if z.shape[-1] < 100:
            pieces.append(z.shape[-1])
        else:  # rounding has decided otherwise
            indices[:, 51] = (indices[:, 51] + 1) % config.quantizer.codebook_size
            ties[:, 51] = True
        return indices, ties

    monkeypatch.setattr(top, "encode_with_ties", tied)
    assert torch.equal(model.encode(wave, levels=LEVELS), known) and len(pieces) == 1


def test_no_gradient_reaches_encoder_or_codebooks(model, config):
    model.train()
    before = copy.deepcopy(model.state_dict())
    losses = model(
        batch_of(config), freeze_codes=True, with_decoder=False, counts=torch.tensor([1, 2, 4])
    )
    (losses.mel + losses.pitch).backward()
    for name, parameter in model.named_parameters():
        if name.startswith(("encoder.", "quantizer.", "levels.")):
            assert parameter.grad is None or not parameter.grad.any(), name
    assert model.conditioning.level.weight.grad[[0, 1, 3]].any(1).all()
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved and all(name.startswith("levels.") for name in moved), "they alone keep statistics"


def test_they_stand_still_where_a_decoder_is_trained(model, config):
    model.train()
    before = copy.deepcopy(model.levels.state_dict())
    model(batch_of(config), freeze_codes=True, counts=torch.tensor([4, 4, 4]))
    after = model.levels.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
