"""The kernels against the plain sampler, the plain sampler against the training graph."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import F0, HIDDEN, HOLD, KINDS, decoder_of, drive_of, excitation_of

from vqspeech.sampling import float32_kernels as kernels
from vqspeech.sampling.float32_weights import new_state, pack_wavenet
from vqspeech.sampling.reference import ReferenceSampler, draw
from vqspeech.sampling.stream import BandJoiner, WaveNetSampler

FRAMES = F0.shape[1]


@pytest.fixture(scope="module", params=KINDS)
def decoder(request):
    return decoder_of(*KINDS[request.param])


@pytest.fixture(scope="module")
def hidden():
    return torch.randn(1, HIDDEN, FRAMES, generator=torch.Generator().manual_seed(4))


def biases(decoder, hidden):
    with torch.no_grad():
        return decoder.conditioning(hidden)[0]


def pieces(hidden, size, f0=F0):
    """Hidden frames, `size` at a time, each with its F0 (which not every decoder listens to)."""
    return zip(hidden.split(size, -1), f0.split(size, -1), strict=True)


def uniforms(decoder, seed=5):
    rng = np.random.default_rng(seed)
    return rng.random((FRAMES * HOLD, decoder.bands), dtype=np.float32)


@torch.no_grad()
def test_reference_step_is_the_training_graph(decoder, hidden):
    indices = torch.randint(0, 256, (1, FRAMES * HOLD, decoder.bands))
    whole = decoder(indices, hidden, excitation=excitation_of(decoder))[0]
    sampler, bias = ReferenceSampler(decoder), biases(decoder, hidden)
    drive = torch.from_numpy(drive_of(decoder))
    for n in range(FRAMES * HOLD):
        found = sampler.step(bias[n // HOLD], drive[n])
        torch.testing.assert_close(found, whole[n], atol=1e-4, rtol=1e-4)
        sampler.previous = indices[0, n]


@torch.no_grad()
def test_kernel_logits_are_the_training_graph(decoder, hidden):
    indices = torch.randint(0, 256, (1, FRAMES * HOLD, decoder.bands))
    net = pack_wavenet(decoder)
    out = np.empty((FRAMES * HOLD, decoder.bands * 256), np.float32)
    samples = indices[0].numpy().astype(np.uint8)
    bias, drive = biases(decoder, hidden).numpy(), drive_of(decoder)
    kernels.run_forced(net, new_state(net), bias, drive, HOLD, samples, out)
    whole = decoder(indices, hidden, excitation=excitation_of(decoder))[0]
    np.testing.assert_allclose(out, whole.reshape(len(out), -1).numpy(), atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_kernel_samples_are_the_reference_samples(decoder, hidden, temperature):
    draws, bias, drive = uniforms(decoder), biases(decoder, hidden), drive_of(decoder)
    given = bias, torch.from_numpy(drive), HOLD, torch.from_numpy(draws), temperature
    plain = ReferenceSampler(decoder).run(*given)
    net, out = pack_wavenet(decoder), np.empty(draws.shape, np.uint8)
    kernels.run(net, new_state(net), bias.numpy(), drive, HOLD, draws, temperature, out)
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

    def decode(size):
        stream = sampler.stream(seed=7)
        blocks = [sampler.add([stream], [piece], [f0])[0] for piece, f0 in pieces(hidden, size)]
        return np.concatenate([*blocks, stream.finish()])

    whole = decode(FRAMES)
    assert len(whole) == FRAMES * HOLD * decoder.bands
    np.testing.assert_allclose(decode(cut), whole, atol=1e-5)


@torch.no_grad()
def test_a_stream_is_driven_by_its_own_phase(hidden):
    told, plain = (WaveNetSampler(decoder_of(4, harmonics), HOLD) for harmonics in (3, 0))
    stream, parts = told.stream(), pieces(hidden, 2)
    found = np.concatenate([stream.work(piece, HOLD, f0).drive for piece, f0 in parts])
    np.testing.assert_allclose(found, drive_of(decoder_of(4, 3)), atol=1e-4)
    assert found[: 2 * HOLD].std() > 0.1 and not found[2 * HOLD : 4 * HOLD].any()
    assert not plain.stream().work(hidden, HOLD).drive.any()
    low, high = (told.add([told.stream()], [hidden], [f0])[0] for f0 in (F0, 1.5 * F0))
    assert not np.array_equal(low, high)


@pytest.mark.parametrize("weights", ["int8", "float32"])
@torch.no_grad()
def test_seeds_decide(decoder, hidden, weights):
    sampler = WaveNetSampler(decoder, HOLD, weights)

    def decode(seed):
        return sampler.add([sampler.stream(seed)], [hidden], [F0])[0]

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

    given = [(hidden[..., :n], (1 + i / 10) * F0[:, :n]) for i, n in enumerate(lengths)]
    alone = [sampler.add([stream(i)], [h], [f0])[0] for i, (h, f0) in enumerate(given)]
    jobs = [(stream(i), pieces(h, 2, f0)) for i, (h, f0) in enumerate(given)]
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
    sampler = WaveNetSampler(decoder, HOLD, weights)
    long = [hidden.repeat(1, 1, 20)], [F0.repeat(1, 20)]
    stream = sampler.stream(seed=1)
    for _ in range(5):  # until the allocator has what it keeps
        sampler.add([stream], *long)
    before = resident_bytes()
    for _ in range(30):
        sampler.add([stream], *long)
    assert len(stream.state.rings) == sum(decoder.stack.dilations)
    # An allocator breathes by 3 MB; what 30 calls work with is 20 MB.
    assert resident_bytes() - before < 8 * 2**20


def test_joining_blocks_is_joining_the_whole(decoder):
    bands = torch.randn(1, decoder.bands, 200)
    joiner = BandJoiner(decoder.bank)
    blocks = [joiner.add(part) for part in bands.split([1, 3, 90, 106], -1)] + [joiner.finish()]
    whole = decoder.bank.join(bands)[0].numpy()
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5)
