"""The training graph: which terms there are, what they are, and what freezing means."""

import copy
import dataclasses
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vqspeech.audio import read
from vqspeech.checkpoint.model import load_checkpoint
from vqspeech.config.networks import SpeakerEncoderConfig
from vqspeech.nn.batch import Batch
from vqspeech.nn.excitation import TeacherExcitation
from vqspeech.nn.phonemes import UNKNOWN
from vqspeech.nn.vqvae import VQVAE

SPEAKERS = torch.tensor([1, 0])


def crops(config, frames=40):
    """A batch of what the model of `config` is trained on, half of it voiced."""
    samples = frames * config.hop
    f0 = phonemes = None
    if config.conditioning.pitch_head:
        f0 = torch.empty(2, samples // 160).uniform_(80, 300)
        f0[:, ::2] = 0
    if config.conditioning.phoneme_head:
        phonemes = torch.randint(UNKNOWN, 40, (2, frames))
    return Batch(0.1 * torch.randn(2, samples), SPEAKERS, f0, phonemes)


def ready(config):
    """A model whose codes are initialised."""
    model = VQVAE(config, 3).train()
    with torch.no_grad():
        model(crops(config), with_decoder=False)
    return model


def outspoken(config):
    """A model whose nats show what its decoder is told."""
    model = ready(config).eval()
    with torch.no_grad():
        model.decoder.excitation.weight.mul_(4)
        model.decoder.output.weight.mul_(8)
    return model


def hidden_of(model, batch):
    return model.hidden(model.encode(batch.wave), model.speakers(batch.speaker))


def said(model, batch, hidden):
    """Logits of the decoder, told all that training tells it, and the indices that it is to say."""
    wave, told, log_mel = batch.wave, None, None
    if model.config.decoder.harmonics:
        wave, told = TeacherExcitation(model.config.decoder)(wave, batch.f0)
    if model.config.decoder.own_envelope:
        log_mel = model.target_mel(batch.wave)
    elif model.config.decoder.scaled:
        log_mel = model.conditioning.log_mel(hidden)
    truth = model.decoder.truth(wave, log_mel, batch.f0)
    logits = model.decoder(truth.indices, hidden, excitation=told, known=truth.known)
    return logits, truth.indices


@torch.no_grad()
def test_terms_of_every_preset(narrow):
    losses = ready(narrow)(crops(narrow))
    assert (losses.mel is not None) == narrow.conditioning.log_mel_head
    assert (losses.pitch is not None) == narrow.conditioning.pitch_head
    assert (losses.phonemes is not None) == narrow.conditioning.phoneme_head
    # An untrained network knows next to nothing: ln 256 nats a sample.
    assert float(losses.nats) == pytest.approx(math.log(256), rel=0.1)
    assert float(losses.usage.sum()) == 80
    for term in (losses.codebook, losses.commitment, losses.pitch, losses.phonemes):
        assert term is None or (term.dim() == 0 and float(term) > 0)


def test_without_decoder_there_is_no_likelihood(narrow_base):
    losses = ready(narrow_base)(crops(narrow_base), with_decoder=False)
    assert losses.nats is None and losses.pitch is not None


@torch.no_grad()
def test_phonemes_count_only_where_they_are_given(narrow_base, narrow_paper):
    batch = crops(narrow_base)
    model = ready(narrow_base).eval()
    assert model(batch).phonemes is not None
    without = model(batch._replace(phonemes=None))
    assert without.phonemes is None
    assert without._replace(phonemes=0, usage=0) == model(batch)._replace(phonemes=0, usage=0)
    plain = ready(narrow_paper).eval()
    phonemes = torch.zeros(2, 40, dtype=torch.int64)
    assert plain(crops(narrow_paper)._replace(phonemes=phonemes)).phonemes is None


@torch.no_grad()
def test_terms_by_hand(narrow):
    model, batch = ready(narrow).eval(), crops(narrow)
    losses = model(batch)
    z = model.quantizer.normalised(model.encoder(batch.wave))
    z_q = model.quantizer.lookup(model.encode(batch.wave))
    distance = (z - z_q).square().mean()
    torch.testing.assert_close(losses.codebook, distance, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(losses.commitment, distance, rtol=1e-4, atol=1e-6)
    hidden = hidden_of(model, batch)
    logits, target = said(model, batch, hidden)
    nats = F.cross_entropy(logits.flatten(0, 2), target.flatten())
    torch.testing.assert_close(losses.nats, nats, rtol=1e-4, atol=1e-5)
    if narrow.conditioning.log_mel_head:
        mel = (model.conditioning.log_mel(hidden) - model.target_mel(batch.wave)).abs().mean()
        torch.testing.assert_close(losses.mel, mel, rtol=1e-4, atol=1e-5)
    if narrow.conditioning.pitch_head:
        pitch = model.conditioning.pitch(hidden).loss(batch.f0)
        torch.testing.assert_close(losses.pitch, pitch, rtol=1e-4, atol=1e-5)
    if narrow.conditioning.phoneme_head:
        read = model.phoneme_head.loss(z_q, batch.phonemes)  # from the codes alone, not the speaker
        torch.testing.assert_close(losses.phonemes, read, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_window_counts_only_steps_with_their_whole_past(narrow_base):
    model, batch = outspoken(narrow_base), crops(narrow_base)
    first, last = 12, 30
    f0 = torch.full_like(batch.f0, 150.0)
    f0[:, : 2 * first] = 0  # so that it matters from where on the decoder is told
    batch = batch._replace(f0=f0)
    steps, reach = narrow_base.steps_per_frame, narrow_base.decoder.receptive_field
    losses = model(batch, window=(first, last))
    logits, target = said(model, batch, hidden_of(model, batch))
    nats = model.decoder.nats(logits, target)
    inside = nats[:, first * steps + reach : last * steps].mean() / narrow_base.decoder.bands
    torch.testing.assert_close(losses.nats, inside, rtol=1e-4, atol=1e-5)
    assert abs(float(inside) - float(model(batch).nats)) > 1e-5


@torch.no_grad()
def test_likelihood_depends_on_the_phase_of_f0(narrow_base, monkeypatch):
    model, batch = outspoken(narrow_base), crops(narrow_base)
    hidden, window = hidden_of(model, batch), (0, 40)
    with pytest.raises(AssertionError):
        model.nats(batch.wave, hidden, window)
    right = model.nats(batch.wave, hidden, window, batch.f0)
    unvoiced = model.nats(batch.wave, hidden, window, torch.zeros_like(batch.f0))
    own = model.teacher_excitation.forward
    half_a_period_later = lambda *args: (own(*args)[0], -own(*args)[1])  # noqa: E731
    monkeypatch.setattr(model.teacher_excitation, "forward", half_a_period_later)
    later = model.nats(batch.wave, hidden, window, batch.f0)
    assert len({round(float(nats), 5) for nats in (right, unvoiced, later)}) == 3


@torch.no_grad()
@pytest.mark.parametrize("own", [False, True])
def test_training_may_predict_by_the_recordings_own_envelope(narrow_base, own):
    decoder = dataclasses.replace(narrow_base.decoder, own_envelope=own)
    config = dataclasses.replace(narrow_base, decoder=decoder)
    model, batch = outspoken(config), crops(narrow_base)
    hidden, window = hidden_of(model, batch), (0, 40)
    log_mel = model.target_mel(batch.wave)

    def found():
        given = batch.wave, hidden, window, batch.f0
        terms = model(batch).nats, model.nats(*given, log_mel), model.nats(*given)
        return [round(float(nats), 5) for nats in terms]

    training, of_both, of_codes = found()
    assert training == of_both and (of_both == of_codes) == (not own)
    model.conditioning.log_mel_head.bias += 1.0
    moved = [a != b for a, b in zip(found(), (training, of_both, of_codes), strict=True)]
    assert moved == [not own, not own, True]


@torch.no_grad()
def test_mixed_precision_does_not_touch_the_phase(narrow_base):
    model, batch, heard = ready(narrow_base).eval(), crops(narrow_base), []
    model.teacher_excitation.register_forward_hook(lambda _, args, told: heard.append(told[1]))
    plain = model(batch)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(batch)
    assert torch.equal(*heard)
    for name in ("nats", "pitch", "phonemes"):
        torch.testing.assert_close(
            getattr(mixed, name).float(), getattr(plain, name), rtol=0.05, atol=0.05
        )


def test_frozen_codes_do_not_move_even_in_training_mode(narrow_base):
    model = ready(narrow_base)
    frozen = torch.nn.ModuleList([model.encoder, model.quantizer])
    before = copy.deepcopy(frozen.state_dict())
    model.train()
    batch = crops(narrow_base)
    losses = model(batch, freeze_codes=True)
    (losses.nats + losses.mel + losses.commitment + losses.codebook + losses.pitch).backward()
    after = frozen.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(parameter.grad is None for parameter in frozen.parameters())
    assert bool(model.conditioning.stem.linear.weight.grad.any())
    # They are those that encoding gives: no frequency is warped.
    codes = model.quantizer.rows(model.eval().encode(batch.wave)).flatten()
    assert torch.equal(losses.usage, torch.bincount(codes, minlength=len(losses.usage)).float())
    model.train()
    model(batch)
    assert not torch.equal(before["1.books.0.counts"], frozen.state_dict()["1.books.0.counts"])


def test_a_decoder_over_frozen_codes_hears_what_it_hears_in_use(narrow_base, monkeypatch):
    """Dropout is for what conditioning learns: no WaveNet is decoded with it."""
    part = dataclasses.replace(narrow_base.conditioning, dropout=0.5)
    model = ready(dataclasses.replace(narrow_base, conditioning=part)).train()
    batch, heard = crops(narrow_base), []
    monkeypatch.setattr(model, "nats", lambda _, hidden, *a: heard.append(hidden) or hidden.sum())
    for _ in range(2):
        model(batch, freeze_codes=True)
    in_use = hidden_of(model.eval(), batch)
    assert all(torch.allclose(one, in_use, atol=1e-5) for one in heard)
    model.train()
    once, again = (model(batch, freeze_codes=True, with_decoder=False).mel for _ in range(2))
    assert once != again


def beside(items):
    """Recordings [T] of any lengths in one batch: wave [B, T] and lengths [B]."""
    lengths = torch.tensor([len(item) for item in items])
    return torch.nn.utils.rnn.pad_sequence(items, batch_first=True), lengths


def other_codes(model, items):
    """How many codes of a batch are not those of its recordings alone: of frames that lie between
    two codes, closer than arithmetic can tell."""
    together, differ = model.encode(*beside(items)), 0
    assert together.shape == (len(items), -(-max(map(len, items)) // model.config.hop))
    for codes, item in zip(together, items, strict=True):
        alone = model.encode(item[None])
        codes = codes[None, : alone.shape[1]]
        z = model.quantizer.normalised(model.encoder(item[None]))
        distances = [(z - model.quantizer.lookup(one)).norm(dim=1) for one in (codes, alone)]
        torch.testing.assert_close(*distances, rtol=1e-2, atol=1e-2)
        differ += int((codes != alone).sum())
    return differ


@pytest.fixture
def encoding(narrow_base, narrow_paper):
    """Models whose codes are in use."""
    return {"base": ready(narrow_base).eval(), "paper": ready(narrow_paper).eval()}


@given(
    lengths=st.lists(st.integers(1, 6000), min_size=1, max_size=5),
    name=st.sampled_from(["base", "paper"]),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_batch_of_any_lengths_has_the_codes_of_each_alone(encoding, lengths, name):
    torch.manual_seed(0)
    items = [0.1 * torch.randn(samples) for samples in lengths]
    with torch.no_grad():
        other_codes(encoding[name], items)


@torch.no_grad()
def test_a_batch_has_the_codes_of_each_alone_of_the_shipped_model():
    speech = torch.from_numpy(read(Path(__file__).parents[2] / "egs" / "sentence.flac"))
    items = [speech[first:last] for first, last in ((0, 40_000), (9_999, 10_000), (3_000, 19_111))]
    assert other_codes(load_checkpoint().model, [*items, torch.zeros(8_000)]) <= 1


@torch.no_grad()
def test_encode_and_hidden_shapes(narrow):
    model = VQVAE(narrow, 3).eval()
    indices = model.encode(0.1 * torch.randn(2, 5 * narrow.hop + 1))
    assert indices.shape == (2, 6) and indices.dtype == torch.int64
    hidden = model.hidden(indices, model.speakers(SPEAKERS))
    assert hidden.shape == (2, model.conditioning.channels, 6)


@torch.no_grad()
@pytest.mark.parametrize("preset", ["narrow_base", "narrow_paper"])
def test_nats_per_step_of_pieces_are_those_of_the_whole(preset, request):
    config = request.getfixturevalue(preset)
    frames = round(4.3 * config.frame_rate)  # two whole pieces and a part of one
    model, batch = ready(config).eval(), crops(config, frames)
    model.decoder.output.weight.mul_(8)
    indices, voices = model.encode(batch.wave), model.speakers(batch.speaker)
    found = model.nats_per_step(batch.wave, indices, voices, batch.f0)
    assert found.shape == (2,) and abs(float(found[0] - found[1])) > 1e-5
    bands = config.decoder.bands
    for row, one in enumerate(found):
        only = slice(row, row + 1)
        f0 = None if batch.f0 is None else batch.f0[only]
        hidden = model.hidden(indices[only], voices[only])
        whole = model.nats(batch.wave[only], hidden, (0, frames), f0, at_16_bits=True)
        assert float(one) == pytest.approx(bands * float(whole), rel=1e-5)


def with_speaker_encoder(config, **changes):
    part = SpeakerEncoderConfig(channels=8, dilations=(1,), **changes)
    return dataclasses.replace(config, speaker_encoder=part)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_in_training_a_share_of_the_crops_is_given_the_speaker_encoders_vector(narrow_base, share):
    model = ready(with_speaker_encoder(narrow_base, share=share))
    batch = crops(model.config)._replace(reference=0.1 * torch.randn(2, 3200))
    losses = model(batch, with_decoder=False)
    (losses.mel + losses.pitch).backward()
    identities, heard = model.speakers.weight.grad, model.speaker_encoder.stem.linear.weight.grad
    assert bool((identities != 0).any()) == (share == 0)
    assert bool((heard != 0).any()) == (share == 1)


def test_of_an_invented_voice_the_codes_say_nothing_and_its_pitch_follows(narrow_base):
    model = ready(with_speaker_encoder(narrow_base, share=1.0, invented=0.3)).eval()
    batch = crops(model.config)._replace(reference=0.1 * torch.randn(2, 3200))
    batch = Batch(*(part.repeat(10, *[1] * (part.ndim - 1)) for part in batch))
    plain = model(batch, with_decoder=False)
    own = model.target_mel(batch.wave)
    assert torch.equal(model._told(batch, own, False)[1].log_mel, own)
    model.train()
    vectors, (target, f0, _) = model._told(batch, own, False)
    scale = f0[batch.f0 > 0] / batch.f0[batch.f0 > 0]
    assert not torch.equal(target, own)
    assert bool((scale.log().abs() <= 0.3001).all()) and scale.unique().numel() > 1
    assert torch.equal(model._told(batch, own, True)[1].log_mel, own)
    assert plain.mel.isfinite() and vectors.shape == model.speakers(batch.speaker).shape


def test_without_a_reference_the_identities_are_trained_as_ever(narrow_base):
    model = ready(with_speaker_encoder(narrow_base, share=1.0))
    model(crops(model.config), with_decoder=False).mel.backward()
    assert model.speaker_encoder.stem.linear.weight.grad is None


def test_a_voice_is_the_speaker_encoders_vector_of_its_log_mel(narrow_base):
    model = ready(with_speaker_encoder(narrow_base)).eval()
    wave = 0.1 * torch.randn(2, 4800)
    assert torch.equal(model.voice(wave), model.speaker_encoder(model.target_mel(wave)))
