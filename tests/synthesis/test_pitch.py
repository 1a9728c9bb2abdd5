"""A codec whose codes predict pitch, and whose decoder is told the phase of it."""

import numpy as np
import pytest
import torch
from lively import noise, with_codes_in_use

from vqspeech import Codec, Codes
from vqspeech.nn.guidance import guided
from vqspeech.sampling.stream import WaveNetSampler
from vqspeech.synthesis import hidden, rendering
from vqspeech.synthesis import streaming as chunks
from vqspeech.synthesis.options import Change
from vqspeech.synthesis.postfilter import PostFilter


@pytest.fixture(scope="module")
def codec(pitched_model):
    return with_codes_in_use(pitched_model)


@pytest.fixture(scope="module")
def codes(codec):
    """A second of all four codes."""
    found = codec.encode(noise(16_000))
    assert len(np.unique(found.indices)) == 4
    return found


@torch.no_grad()
def pitch_of(codec, codes, speaker):
    """F0 [n] that the codes predict, all at once."""
    indices = torch.from_numpy(codes.indices.astype(np.int64))[None]
    hidden = codec.model.hidden(indices, codec.speaker_vector(speaker))
    return codec.model.conditioning.pitch(hidden).f0()[0].numpy()


@pytest.fixture
def given(monkeypatch):
    """The F0 that the sampler is given, piece by piece."""
    pieces, add = [], WaveNetSampler.add

    def listening(sampler, streams, told):
        pieces.extend(part.f0[0].clone().numpy() for part in told)
        return add(sampler, streams, told)

    monkeypatch.setattr(WaveNetSampler, "add", listening)
    return pieces


def decoded(codec, codes, speaker="anna", **options):
    return np.concatenate(list(codec.decode_blocks(codes, speaker, seed=1, **options)))


def test_the_sampler_is_given_the_predicted_pitch(codec, codes, given):
    decoded(codec, codes)
    wanted = pitch_of(codec, codes, "anna")
    assert len(given) > 1 and len(wanted) == 100
    np.testing.assert_allclose(np.concatenate(given), wanted, rtol=1e-4)
    assert (wanted > 0).any() and len(np.unique(wanted.round())) > 4, "the test tests nothing"


def test_semitones_move_the_pitch_and_not_the_voicing(codec, codes, given):
    plain = decoded(codec, codes)
    here = np.concatenate(given)
    given.clear()
    higher = decoded(codec, codes, change=Change(semitones=12))
    np.testing.assert_allclose(np.concatenate(given), 2 * here, rtol=1e-5)
    assert plain.shape == higher.shape and not np.array_equal(plain, higher)
    given.clear()
    np.testing.assert_array_equal(decoded(codec, codes, change=Change()), plain)


@torch.no_grad()
def test_guidance_is_the_envelopes_and_not_the_samplers(codec, codes, given, monkeypatch):
    expected, expect = [], PostFilter.expect

    def listening(postfilter, log_mel):
        expected.append(log_mel)
        expect(postfilter, log_mel)

    monkeypatch.setattr(PostFilter, "expect", listening)
    plain = decoded(codec, codes)
    f0 = np.concatenate(given)
    expected.clear()
    given.clear()
    louder = decoded(codec, codes, change=Change(guidance=0.7))
    np.testing.assert_allclose(np.concatenate(given), f0, rtol=1e-5)
    assert len(expected) > 1 and not np.allclose(plain, louder, atol=1e-4)
    model, indices = codec.model, torch.from_numpy(codes.indices.astype(np.int64))[None]
    voices = codec.speaker_vector("anna"), model.speakers.weight.mean(0, keepdim=True)
    mels = [model.conditioning.log_mel(model.hidden(indices, voice)) for voice in voices]
    wanted = guided(*mels, 0.7)[0].numpy()
    np.testing.assert_allclose(np.concatenate(expected, 1), wanted, atol=1e-4)
    assert np.abs(wanted - mels[0][0].numpy()).max() > 1e-3, "the test tests nothing"


@pytest.mark.parametrize("weights", ["int8", "float32"])
def test_blocks_are_the_whole(codec, codes, monkeypatch, weights):
    """The phase goes on from block to block."""
    options = {"weights": weights, "change": Change(3.0, 0.5)}
    monkeypatch.setattr(rendering, "DECODE_SECONDS", 10.0)
    whole = decoded(codec, codes, **options)
    monkeypatch.setattr(rendering, "DECODE_SECONDS", 0.04)
    np.testing.assert_allclose(decoded(codec, codes, **options), whole, atol=2e-4)


def test_recordings_side_by_side_are_recordings_alone(codec):
    codes = [codec.encode(noise(length, seed=i)) for i, length in enumerate((5000, 100, 9000))]
    speakers = ["anna", "bert", "anna"]
    found = codec.decode_many(codes, speakers, seed=1, streams=2)
    for one, speaker, wave in zip(codes, speakers, found, strict=True):
        assert len(wave) == one.samples
        np.testing.assert_allclose(wave, decoded(codec, one, speaker), atol=1e-5)


@pytest.mark.parametrize("samples", [1, 320, 1999])
def test_decoding_gives_the_samples_that_went_in(codec, samples):
    codes = codec.encode(noise(samples))
    assert len(codec.decode(codes, "anna")) == samples
    assert len(codec.decode(codes, "anna", preview=True)) == samples


def test_chunked_encoding_is_whole_encoding(codec, monkeypatch):
    wave = noise(30_001)
    whole = codec.encode(wave).indices
    monkeypatch.setattr(chunks, "CHUNK_SECONDS", 0.1)
    np.testing.assert_array_equal(codec.encode(wave).indices, whole)


# What F0 the codes have


@pytest.mark.parametrize("speaker", ["anna", "bert"])
def test_predicted_f0_is_the_median_over_the_voiced(codec, codes, speaker):
    f0 = pitch_of(codec, codes, speaker)
    # Of an even number, torch takes the lower of the two in the middle.
    middle = np.sort(f0[f0 > 0])[((f0 > 0).sum() - 1) // 2]
    assert codec.predicted_f0(codes, speaker) == pytest.approx(float(middle), rel=1e-4)


def test_predicted_f0_is_of_the_first_minute(codec, codes, monkeypatch):
    monkeypatch.setattr(hidden, "PITCH_SECONDS", 0.2)
    start = Codes(codes.indices[:10], 3200, 320)
    f0 = pitch_of(codec, start, "anna")
    middle = np.sort(f0[f0 > 0])[((f0 > 0).sum() - 1) // 2]
    assert codec.predicted_f0(codes, "anna") == pytest.approx(float(middle), rel=1e-4)
    changed = codes.indices.copy()
    changed[10:] = (changed[10:] + 1) % 4
    later = Codes(changed, codes.samples, codes.hop)
    assert codec.predicted_f0(later, "anna") == codec.predicted_f0(codes, "anna")


def test_predicted_f0_is_nan_without_a_voice_or_a_head(codec, codes, tiny_model):
    head = codec.model.conditioning.pitch_head
    before = head.bias.detach().clone()
    with torch.no_grad():
        head.bias[1::2] = -1000
    try:
        assert np.isnan(codec.predicted_f0(codes, "anna"))
        assert len(codec.decode(codes, "anna")) == codes.samples
    finally:
        with torch.no_grad():
            head.bias.copy_(before)
    assert codec.predicts_pitch
    plain = Codec.from_pretrained(tiny_model, device="cpu")
    assert not plain.predicts_pitch and np.isnan(plain.predicted_f0(codes.indices, "anna"))
