"""Upper levels: each says what those below it leave, and none of it reaches the first."""

import copy
import dataclasses

import pytest
import torch
from crops import batch_of

from vqspeech.config.networks import QuantizerConfig, SpeakerEncoderConfig
from vqspeech.nn import quantizer
from vqspeech.nn.cosines import log_mel_patterns
from vqspeech.nn.interleaving import spread
from vqspeech.nn.levels import UpperLevels, draw_counts
from vqspeech.nn.vqvae import VQVAE

K, D, UPPER, LEVELS, MELS, HOP = 16, 5, 6, 4, 20, 320
CONFIG = QuantizerConfig(codebook_size=K, codebooks=2, dim=D, levels=LEVELS, upper_dim=UPPER)


def everywhere(count, frames):
    return torch.full((count,), frames)


@pytest.fixture
def levels():
    made = UpperLevels(CONFIG, MELS, HOP).train()
    for _ in range(60):
        made(torch.randn(4, UPPER, 50), torch.full((4,), LEVELS))
    return made.eval()


@pytest.fixture
def config(narrow_base):
    found = dataclasses.replace(narrow_base.quantizer, levels=LEVELS, upper_dim=UPPER)
    return dataclasses.replace(narrow_base, quantizer=found)


@pytest.fixture
def model(config):
    made = VQVAE(config, 2).train()
    with torch.no_grad():
        for _ in range(4):
            made(batch_of(config), with_decoder=False, counts=torch.full((3,), LEVELS))
        made.conditioning.upper.weight.normal_()
    return made.eval()


def test_patterns_are_orthonormal_and_begin_with_the_coarsest():
    patterns = log_mel_patterns(4, MELS, 30)
    torch.testing.assert_close(patterns @ patterns.T, torch.eye(30), atol=1e-5, rtol=0)
    torch.testing.assert_close(patterns[0], torch.full((4 * MELS,), (4 * MELS) ** -0.5))
    bends = patterns.view(30, 4, MELS).diff(dim=-1).square().sum((1, 2))
    assert bends[-1] > 10 * bends[1]
    everything = log_mel_patterns(4, MELS, 4 * MELS)
    torch.testing.assert_close(everything.T @ everything, torch.eye(4 * MELS), atol=1e-5, rtol=0)


def test_what_is_left_falls_from_level_to_level(levels):
    left = torch.randn(3, UPPER, 40)
    said = levels(left, torch.full((3,), LEVELS))
    errors = [float(left.square().mean()), *said.error.tolist()]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.3 * errors[0]
    torch.testing.assert_close((left - said.z[..., ::2]).square().mean(), said.error[-1])
    assert torch.equal(said.z[..., ::2], said.z[..., 1::2]), "a group's frames hear the same"
    assert said.usage.shape == (LEVELS - 1, 2 * K) and said.usage.sum(1).tolist() == 3 * [240]


def test_a_recording_has_as_many_levels_as_it_is_given(levels):
    left = torch.randn(LEVELS, UPPER, 20)
    said = levels(left, torch.arange(1, LEVELS + 1)).z
    frames = everywhere(LEVELS, 40)
    indices, _ = levels.encode_with_ties(left, LEVELS - 1, frames)
    assert indices.shape == (LEVELS, LEVELS - 1, 40)
    assert not said[0].any()
    for row in range(1, LEVELS):
        torch.testing.assert_close(said[row], levels.lookup(indices[row : row + 1, :row])[0])
        fewer, _ = levels.encode_with_ties(left, row, frames)
        assert torch.equal(fewer, indices[:, :row]), "levels below do not depend on those above"


def test_each_codebook_takes_the_nearest_to_what_those_before_it_leave(levels):
    left = torch.randn(1, UPPER, 9)
    indices, ties = levels.encode_with_ties(left, LEVELS - 1, everywhere(1, 18))
    assert not ties.any()
    for group in range(9):
        own = left[0, :, group].clone()
        for level, found in enumerate(levels.quantizers):
            for turn, book in enumerate(found.books):
                nearest = (book.codebook - own).norm(dim=1).argmin()
                assert int(indices[0, level, 2 * group + turn]) == int(nearest)
                own -= book.codebook[nearest]


def test_a_codebook_without_a_turn_says_nothing(levels):
    """A recording that ends within a group: levels build on what a decoder will have."""
    left = torch.randn(1, UPPER, 3)
    indices, _ = levels.encode_with_ties(left, LEVELS - 1, everywhere(1, 5))
    own = left[0, :, 2].clone()
    for level, found in enumerate(levels.quantizers):
        nearest = (found.books[0].codebook - own).norm(dim=1).argmin()
        assert int(indices[0, level, 4]) == int(nearest)
        own -= found.books[0].codebook[nearest]
    heard = levels.lookup(indices[..., :5])
    assert heard.shape == (1, UPPER, 5)
    torch.testing.assert_close(left[0, :, 2] - heard[0, :, 4], own)


def test_the_decoder_begins_with_the_inverse_of_the_transform(model):
    """What is said of a log-mel, told as it is, is that log-mel as far as the patterns go."""
    levels, net, mels = model.levels, model.conditioning, model.config.encoder.mels
    patterns = levels.patterns.view(UPPER, 2 * levels.rate, mels)
    coarse = torch.einsum("bdg,dtm->bgtm", torch.randn(2, UPPER, 7), patterns)
    log_mel = coarse.flatten(1, 2).transpose(1, 2)
    said = levels.left(log_mel, torch.zeros_like(log_mel)).repeat_interleave(2, -1)
    told = spread(said.transpose(1, 2), 2).transpose(1, 2)
    torch.testing.assert_close(net.detail(told), log_mel, atol=1e-4, rtol=0)


def test_what_is_left_is_the_same_at_any_precision(model):
    """Training in bfloat16 learns the codes that use, in float32, will look for."""
    mels, levels = model.config.encoder.mels, model.levels
    log_mel, z_q = torch.randn(2, mels, 24), torch.randn(2, model.config.quantizer.dim, 12)
    plain = levels.left(log_mel, levels.expected(z_q))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(levels.left(log_mel, levels.expected(z_q)), plain)


def test_first_level_is_what_it_was(model, config):
    wave, speaker = batch_of(config).wave, model.speakers.weight[:1].expand(3, -1)
    one, four = model.encode(wave), model.encode(wave, levels=LEVELS)
    assert one.shape == (3, 20) and four.shape == (3, LEVELS, 20)
    assert torch.equal(four[:, 0], one)
    alone = copy.deepcopy(model)
    for parameter in (*alone.levels.parameters(), alone.conditioning.upper.weight):
        parameter.data.normal_()
    assert torch.equal(alone.encode(wave), one)
    with torch.no_grad():
        hidden = model.hidden(one, speaker)
        assert hidden.shape == (3, model.conditioning.channels, 20)
        assert torch.equal(alone.hidden(one, speaker), hidden)
        assert torch.equal(model.hidden(four[:, :1], speaker), hidden)
        assert not torch.equal(model.hidden(four, speaker), hidden)
        assert not torch.equal(model.hidden(four, speaker), model.hidden(four[:, :2], speaker))


def test_one_recording_in_several_voices(model, config):
    four = model.encode(batch_of(config, 1).wave, levels=LEVELS)
    with torch.no_grad():
        both = model.hidden(four, model.speakers.weight)
        for row in range(2):
            own = model.hidden(four, model.speakers.weight[row : row + 1])
            torch.testing.assert_close(both[row : row + 1], own)


def test_training_and_use_see_the_same(model, config):
    batch = batch_of(config)
    seen, net = [], model.conditioning
    hook = net.register_forward_hook(lambda net, given, found: seen.append(found))
    counts = torch.tensor([1, 2, 4])
    with torch.no_grad():
        model(batch, with_decoder=False, counts=counts)
        hook.remove()
        for row, count in enumerate(counts.tolist()):
            indices = model.encode(batch.wave[row : row + 1], levels=count)
            hidden = model.hidden(indices, model.speakers(batch.speaker[row : row + 1]))
            torch.testing.assert_close(seen[0][row : row + 1], hidden)


@pytest.mark.parametrize("frames", [16, 17])
def test_codes_do_not_depend_on_what_is_encoded_beside_them(model, config, frames):
    wave = batch_of(config, 2, 30).wave
    lengths = torch.tensor([30 * config.hop, frames * config.hop - 9])
    wave[1, lengths[1] :] = 0
    together = model.encode(wave, lengths, LEVELS)
    alone = model.encode(wave[1:, : lengths[1]], levels=LEVELS)
    assert torch.equal(together[1:, :, :frames], alone)


def test_codes_depend_on_no_more_than_their_context(model, config):
    frames, context = 160, model.context_frames(LEVELS)
    assert context == model.encoder.context_frames + 2 == model.context_frames() + 2
    wave = batch_of(config, 1, frames).wave
    known, place = model.encode(wave, levels=LEVELS), 80
    other = wave.clone()
    other[:, : (place - context) * config.hop] = 0
    other[:, (place + 2 + context) * config.hop :] = 0
    found = model.encode(other, levels=LEVELS)
    assert torch.equal(found[..., place : place + 2], known[..., place : place + 2])
    assert not torch.equal(found, known)


@pytest.mark.parametrize("frames", [25, 26])
def test_every_tie_is_decided_as_it_would_be_without(model, config, monkeypatch, frames):
    """As if every frame were a tie: upper codes too are decided from what they can see."""
    wave = batch_of(config, 2, frames).wave
    known = model.encode(wave, levels=LEVELS)
    monkeypatch.setattr(quantizer, "TIE", 10.0)
    decided, decide = [], model.levels._decided
    monkeypatch.setattr(model.levels, "_decided", lambda *a: decided.append(a) or decide(*a))
    assert torch.equal(model.encode(wave, levels=LEVELS), known)
    assert len(decided) == 2 * 13


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
    net = model.conditioning
    assert net.upper.weight.grad.any() and net.detail.weight.grad.any()
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved and all(name.startswith("levels.quantizers.") for name in moved)


def test_what_to_expect_is_learned_from_the_first_codes(model, config):
    model.train()
    losses = model(
        batch_of(config), freeze_codes=True, with_decoder=False, counts=torch.tensor([1, 2, 4])
    )
    losses.expected.backward()
    got = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert got and all(name.startswith(("levels.around.", "levels.out.")) for name in got)


@pytest.mark.parametrize("invented", [0.0, 0.3])
def test_an_invented_voice_has_its_own_details(config, invented, monkeypatch):
    """What the levels say is of the voice that is to be predicted, as it is in use."""
    torch.manual_seed(0)
    part = SpeakerEncoderConfig(channels=8, dilations=(1,), share=1.0, invented=invented)
    model = VQVAE(dataclasses.replace(config, speaker_encoder=part), 2).train()
    batch = batch_of(model.config, 8)._replace(reference=0.1 * torch.randn(8, 3200))
    asked, quantized, counts = [], [], torch.full((8,), LEVELS)
    tell, leave = model._told, model.levels.left
    monkeypatch.setattr(model, "_told", lambda *a: asked.append(tell(*a)) or asked[-1])
    monkeypatch.setattr(
        model.levels, "left", lambda log_mel, *a: quantized.append(log_mel) or leave(log_mel, *a)
    )
    model(batch, freeze_codes=True, with_decoder=False, counts=counts)
    [(_, aims)], [heard] = asked, quantized
    assert torch.equal(heard, aims.log_mel)
    assert torch.equal(heard, model.target_mel(batch.wave)) == (not invented)


def test_they_stand_still_where_a_decoder_is_trained(model, config):
    model.train()
    before = copy.deepcopy(model.levels.state_dict())
    losses = model(batch_of(config), freeze_codes=True, counts=torch.tensor([4, 4, 4]))
    assert losses.expected is None
    after = model.levels.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_counts_are_of_every_number():
    counts = draw_counts(LEVELS, 4000, torch.device("cpu"))
    shares = torch.bincount(counts, minlength=LEVELS + 1) / len(counts)
    assert shares.tolist() == pytest.approx([0, 0.4, 0.2, 0.2, 0.2], abs=0.03)
