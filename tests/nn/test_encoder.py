"""Lengths, batches, chunks and the receptive field of the encoder."""

import dataclasses

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vqspeech.audio.signal import frames_for
from vqspeech.config.networks import EncoderConfig
from vqspeech.nn.encoder import Encoder

DIM = 6


def encoder_of(config):
    return Encoder(config.encoder, config.hop, DIM).eval()


@pytest.fixture
def encoders(narrow_base, narrow_paper):
    return {"logmel": encoder_of(narrow_base), "strided": encoder_of(narrow_paper)}


def noise(*shape):
    return 0.1 * torch.randn(*shape)


@given(samples=st.integers(1, 3000), kind=st.sampled_from(["logmel", "strided"]))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_frames_cover_every_length(encoders, samples, kind):
    encoder = encoders[kind]
    with torch.no_grad():
        z = encoder(noise(2, samples))
    assert z.shape == (2, DIM, -(-samples // encoder.hop))
    assert bool(torch.isfinite(z).all())


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_lengths_about_a_frame(narrow, extra):
    encoder = encoder_of(narrow)
    samples = 2 * narrow.hop + extra
    assert encoder(noise(1, samples)).shape[-1] == (3 if extra == 1 else 2)
    assert encoder(noise(1, 1)).shape == (1, DIM, 1)


@torch.no_grad()
def test_batch_is_its_items_alone(narrow):
    encoder, hop = encoder_of(narrow), narrow.hop
    lengths = torch.tensor([9 * hop, 1, 4 * hop + 1, 5 * hop - 1])
    items = [noise(1, int(length)) for length in lengths]
    wave = torch.zeros(4, 9 * hop)
    for row, item in zip(wave, items, strict=True):
        row[: item.shape[1]] = item
    together = encoder(wave, lengths)
    for z, item in zip(together, items, strict=True):
        alone = encoder(item)[0]
        frames = alone.shape[-1]
        torch.testing.assert_close(z[:, :frames], alone, rtol=1e-4, atol=1e-5)
        assert not bool(z[:, frames:].any())


@torch.no_grad()
@pytest.mark.parametrize("books", [1, 2])
def test_chunks_with_context_are_the_whole(narrow, books):
    encoder, hop = Encoder(narrow.encoder, narrow.hop, DIM, books).eval(), narrow.hop
    context = frames_for(encoder.context_frames, books) * books
    frames, size = 4 * context + 7, context + 4 + context % 2
    wave = noise(1, frames * hop - 5)
    whole = encoder(wave)
    for start in range(0, frames, size):
        left, end = max(0, start - context), min(frames, start + size)
        part = encoder(wave[:, left * hop : (end + context) * hop])
        torch.testing.assert_close(
            part[..., start - left : end - left], whole[..., start:end], rtol=1e-4, atol=1e-5
        )


@torch.no_grad()
def test_every_codebook_has_a_projection_of_its_own(narrow):
    encoder, wave = Encoder(narrow.encoder, narrow.hop, DIM, 2).eval(), noise(1, 9 * narrow.hop)
    before = encoder(wave)
    encoder.project.weight[DIM:] += 1
    after = encoder(wave)
    assert torch.equal(before[..., ::2], after[..., ::2])
    assert not torch.allclose(before[..., 1::2], after[..., 1::2])
    encoder.turn.weight[1] += 1  # the coarse layers know whose turn it is
    assert not torch.allclose(encoder(wave), after)


def test_receptive_field_is_exactly_context_frames(narrow):
    encoder, hop = encoder_of(narrow), narrow.hop
    context = encoder.context_frames
    frame = context + 2
    wave = noise(1, (2 * frame + 1) * hop).requires_grad_()
    encoder(wave)[..., frame].sum().backward()
    seen = wave.grad[0].nonzero()[:, 0]
    first, last = int(seen[0]) // hop, int(seen[-1]) // hop
    assert (first, last) == (frame - context, frame + context)


@pytest.mark.parametrize("hop", [160, 320, 480])
@pytest.mark.parametrize("low_bins", [0, 8])
def test_no_sample_beyond_the_context_is_seen(hop, low_bins):
    config = EncoderConfig(
        channels=8, mels=16, low_bins=low_bins, fine_dilations=(1,), coarse_dilations=()
    )
    encoder = Encoder(config, hop, DIM).eval()
    context = encoder.context_frames
    wave = noise(1, (2 * context + 5) * hop).requires_grad_()
    frame = context + 2
    encoder(wave)[..., frame].sum().backward()
    seen = wave.grad[0].nonzero()[:, 0]
    assert int(seen[0]) // hop >= frame - context and int(seen[-1]) // hop <= frame + context


def test_the_low_spectrum_is_heard(narrow_base):
    """The mel bands alone would not do: its columns of the first layer get gradients."""
    config = dataclasses.replace(narrow_base.encoder, vtlp=0.0)
    encoder = Encoder(config, narrow_base.hop, DIM)
    encoder(noise(1, 3200)).square().sum().backward()
    grad = encoder.stem.linear.weight.grad
    assert grad.shape[1] % (config.mels + config.low_bins) == 0
    assert bool(grad.any(0).all())


@pytest.mark.parametrize("layers", [2, 6])
@torch.no_grad()
def test_a_strided_encoder_begins_with_what_it_hears(layers):
    """Its output varies as speech does, however many layers there are, not its biases alone."""
    config = EncoderConfig(
        kind="strided", channels=64, strides=(2,) * layers, coarse_dilations=(1,), deviation=0.05
    )
    z_e = Encoder(config, 2**layers, 32).eval()(0.05 * torch.randn(4, 64 * 2**layers))
    assert 0.2 < float(z_e.std((0, 2)).mean()) < 5
    assert float(z_e.mean((0, 2)).abs().mean()) < float(z_e.std((0, 2)).mean())


@torch.no_grad()
def test_deviation_is_what_the_samples_are_divided_by():
    scaled = EncoderConfig(kind="strided", channels=8, strides=(2, 2), deviation=0.05)
    encoder = Encoder(scaled, 4, DIM).eval()
    plain = Encoder(dataclasses.replace(scaled, deviation=1.0), 4, DIM).eval()
    plain.load_state_dict(encoder.state_dict())
    wave = noise(1, 400)
    torch.testing.assert_close(encoder(wave), plain(wave / 0.05))
