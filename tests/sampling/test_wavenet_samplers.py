"""The kernels against the plain sampler, the plain sampler against the training graph."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from vqspeech.config import DecoderConfig
from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.sampling import kernels
from vqspeech.sampling.packed import new_state, pack_wavenet
from vqspeech.sampling.reference import ReferenceSampler, draw
from vqspeech.sampling.stream import BandJoiner, WaveNetSampler

HIDDEN, HOLD, FRAMES = 12, 20, 6


@pytest.fixture(scope="module", params=[1, 4], ids=["full band", "four bands"])
def decoder(request):
    torch.manual_seed(3)
    config = DecoderConfig(
        bands=request.param, residual_channels=10, skip_channels=14, layers=5, cycle=3
    )
    decoder = WaveNetDecoder(config, HIDDEN).eval()
    with torch.no_grad():  # far from uniform, so that a wrong weight is a wrong sample
        for parameter in decoder.parameters():
            parameter.mul_(2.0)
    return decoder


@pytest.fixture(scope="module")
def hidden():
    return torch.randn(1, HIDDEN, FRAMES, generator=torch.Generator().manual_seed(4))


def biases(decoder, hidden):
    with torch.no_grad():
        return decoder.conditioning(hidden)[0]


def uniforms(decoder, seed=5):
    rng = np.random.default_rng(seed)
    return rng.random((FRAMES * HOLD, decoder.bands), dtype=np.float32)


@torch.no_grad()
def test_reference_step_is_the_training_graph(decoder, hidden):
    indices = torch.randint(0, 256, (1, FRAMES * HOLD, decoder.bands))
    whole = decoder(indices, hidden)[0]
    sampler, bias = ReferenceSampler(decoder), biases(decoder, hidden)
    for n in range(FRAMES * HOLD):
        torch.testing.assert_close(sampler.step(bias[n // HOLD]), whole[n], atol=1e-4, rtol=1e-4)
        sampler.previous = indices[0, n]


@torch.no_grad()
def test_kernel_logits_are_the_training_graph(decoder, hidden):
    indices = torch.randint(0, 256, (1, FRAMES * HOLD, decoder.bands))
    net = pack_wavenet(decoder)
    out = np.empty((FRAMES * HOLD, decoder.bands * 256), np.float32)
    samples = indices[0].numpy().astype(np.uint8)
    kernels.run_forced(net, new_state(net), biases(decoder, hidden).numpy(), HOLD, samples, out)
    whole = decoder(indices, hidden)[0].reshape(len(out), -1).numpy()
    np.testing.assert_allclose(out, whole, atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_kernel_samples_are_the_reference_samples(decoder, hidden, temperature):
    draws, bias = uniforms(decoder), biases(decoder, hidden)
    plain = ReferenceSampler(decoder).run(bias, HOLD, torch.from_numpy(draws), temperature)
    net, out = pack_wavenet(decoder), np.empty(draws.shape, np.uint8)
    kernels.run(net, new_state(net), bias.numpy(), HOLD, draws, temperature, out)
    np.testing.assert_array_equal(out, plain.numpy())
    assert len(np.unique(out)) > 3


def test_draw_follows_the_distribution():
    torch.manual_seed(0)
    logits = torch.randn(1, 256) * 2
    draws = torch.arange(0.5, 4000) / 4000
    found = torch.stack([draw(logits, u[None], 1.0)[0] for u in draws])
    frequency = torch.bincount(found, minlength=256) / len(draws)
    assert (frequency - torch.softmax(logits[0], 0)).abs().max() < 2 / 4000


@pytest.mark.parametrize("weights", ["int8", "float32"])
@pytest.mark.parametrize("cut", [1, 2, 5])
@torch.no_grad()
def test_a_stream_does_not_care_how_its_frames_come(decoder, hidden, cut, weights):
    sampler = WaveNetSampler(decoder, HOLD, weights)

    def decode(pieces):
        stream = sampler.stream(seed=7)
        blocks = [sampler.add([stream], [piece])[0] for piece in pieces]
        return np.concatenate([*blocks, stream.finish()])

    whole = decode([hidden])
    assert len(whole) == FRAMES * HOLD * decoder.bands
    np.testing.assert_allclose(decode(hidden.split(cut, -1)), whole, atol=1e-5)


@pytest.mark.parametrize("weights", ["int8", "float32"])
@torch.no_grad()
def test_seeds_decide(decoder, hidden, weights):
    sampler = WaveNetSampler(decoder, HOLD, weights)

    def decode(seed):
        return sampler.add([sampler.stream(seed)], [hidden])[0]

    np.testing.assert_array_equal(decode(1), decode(1))
    assert not np.array_equal(decode(1), decode(2))


@pytest.mark.parametrize("weights", ["int8", "float32"])
@pytest.mark.parametrize("threads", [1, 2, 3])
@torch.no_grad()
def test_streams_together_are_streams_alone(decoder, hidden, weights, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    sampler = WaveNetSampler(decoder, HOLD, weights)
    lengths = [3, 6, 1, 6, 2, 5, 6]
    temperatures = [1.0, 0.5, 0.0, 1.3, 1.0, 1.0, 0.9]

    def stream(i):
        return sampler.stream(seed=i, temperature=temperatures[i])

    alone = [
        sampler.add([stream(i)], [hidden[..., :length]])[0] for i, length in enumerate(lengths)
    ]
    jobs = [
        (stream(i), iter(hidden[..., :length].split(2, -1))) for i, length in enumerate(lengths)
    ]
    found, ended = [[] for _ in jobs], []
    for number, block in sampler.together(jobs, 3):
        if block is None:
            ended.append(number)
        else:
            assert number not in ended
            found[number].append(block)
    assert sorted(ended) == list(range(len(jobs)))
    for number, blocks in enumerate(found):
        wave = np.concatenate(blocks)
        assert len(wave) >= lengths[number] * HOLD * decoder.bands
        np.testing.assert_allclose(wave[: len(alone[number])], alone[number], atol=1e-5)


def resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs /proc")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("weights", ["int8", "float32"])
@torch.no_grad()
def test_memory_grows_with_neither_length_nor_calls(decoder, hidden, weights):
    sampler, long = WaveNetSampler(decoder, HOLD, weights), hidden.repeat(1, 1, 40)
    stream = sampler.stream(seed=1)
    for _ in range(5):  # until the allocator has what it keeps
        sampler.add([stream], [long])
    before = resident_bytes()
    for _ in range(30):
        sampler.add([stream], [long])
    assert len(stream.state.rings) == sum(decoder.stack.dilations)
    # An allocator breathes by 3 MB; what 30 calls work with is 20 MB.
    assert resident_bytes() - before < 8 * 2**20


def test_joining_blocks_is_joining_the_whole(decoder):
    bands = torch.randn(1, decoder.bands, 200)
    joiner = BandJoiner(decoder.bank)
    blocks = [joiner.add(part) for part in bands.split([1, 3, 90, 106], -1)] + [joiner.finish()]
    whole = decoder.bank.join(bands)[0].numpy()
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5)
