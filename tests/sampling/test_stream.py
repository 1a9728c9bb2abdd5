"""Streams: hidden frames in, waveforms out."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import F0, HIDDEN, KINDS, STEPS, decoder_of, frames_of, inputs_of

from vqspeech.sampling.stream import BandJoiner, Frames, WaveNetSampler

FRAMES = F0.shape[1]


@pytest.fixture(scope="module", params=KINDS)
def decoder(request):
    return decoder_of(**KINDS[request.param])


@pytest.fixture(scope="module")
def hidden():
    return torch.randn(1, HIDDEN, FRAMES, generator=torch.Generator().manual_seed(4))


def pieces(hidden, size, f0=F0):
    """Frames, `size` at a time, with all that any decoder listens to."""
    told = (part.split(size, -1) for part in frames_of(hidden, f0))
    return map(Frames, *told)


@pytest.mark.parametrize("weights", ["int8", "float32"])
@pytest.mark.parametrize("cut", [1, 2, 5])
@torch.no_grad()
def test_a_stream_does_not_care_how_its_frames_come(decoder, hidden, cut, weights):
    sampler = WaveNetSampler(decoder, STEPS, weights)

    def decode(size):
        stream = sampler.stream(seed=7)
        blocks = [sampler.add([stream], [piece])[0] for piece in pieces(hidden, size)]
        return np.concatenate([*blocks, stream.finish()])

    whole = decode(FRAMES)
    assert len(whole) == FRAMES * STEPS * decoder.bands
    np.testing.assert_allclose(decode(cut), whole, atol=1e-5)


@torch.no_grad()
def test_a_stream_follows_a_phase_of_its_own(hidden):
    decoders = decoder_of(4, harmonics=3), decoder_of(4)
    excited, plain = (WaveNetSampler(decoder, STEPS) for decoder in decoders)
    stream, parts = excited.stream(), pieces(hidden, 2)
    found = np.concatenate([stream.work(piece, STEPS).inputs for piece in parts])
    np.testing.assert_allclose(found, inputs_of(decoders[0]), atol=1e-4)
    assert found[: 2 * STEPS].std() > 0.1 and not found[2 * STEPS : 4 * STEPS].any()
    assert not plain.stream().work(Frames(hidden), STEPS).inputs.any()
    told = (frames_of(hidden, f0) for f0 in (F0, 1.5 * F0))
    low, high = (excited.add([excited.stream()], [one])[0] for one in told)
    assert not np.array_equal(low, high)


@torch.no_grad()
def test_a_stream_is_cooler_where_there_is_a_voice(hidden):
    factors = [0.5, 0.7, 0.9, 1.0]
    sampler = WaveNetSampler(decoder_of(4, voiced_temperatures=tuple(factors)), STEPS)
    found = sampler.stream(temperature=0.8).work(frames_of(hidden), STEPS).temperatures
    wanted = [[0.8 * x if voiced else 0.8 for x in factors] for voiced in F0[0] > 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    plain = WaveNetSampler(decoder_of(4), STEPS).stream(temperature=0.8)
    assert plain.work(Frames(hidden), STEPS).temperatures.tolist() == [[np.float32(0.8)] * 4]


@torch.no_grad()
def test_what_frames_say_is_drawn_with_a_gain(hidden):
    plain, twice = decoder_of(4), decoder_of(4, conditioning_gain=2.0)
    found = [
        WaveNetSampler(decoder, STEPS).stream().work(Frames(given), STEPS).conditioning
        for decoder, given in ((plain, 2 * hidden), (twice, hidden))
    ]
    np.testing.assert_array_equal(*found)
    torch.testing.assert_close(twice.conditioning(hidden), plain.conditioning(hidden))


@pytest.mark.parametrize("weights", ["int8", "float32"])
@torch.no_grad()
def test_seeds_decide(decoder, hidden, weights):
    sampler = WaveNetSampler(decoder, STEPS, weights)

    def decode(seed):
        return sampler.add([sampler.stream(seed)], [frames_of(hidden)])[0]

    np.testing.assert_array_equal(decode(1), decode(1))
    assert not np.array_equal(decode(1), decode(2))


@pytest.mark.parametrize("weights", ["int8", "float32"])
@pytest.mark.parametrize("threads", [1, 2, 3])
@torch.no_grad()
def test_streams_together_are_streams_alone(decoder, hidden, weights, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    sampler = WaveNetSampler(decoder, STEPS, weights)
    lengths = [3, 6, 1, 6, 2, 5, 6]
    temperatures = [1.0, 0.5, 0.0, 1.3, 1.0, 1.0, 0.9]

    def stream(i):
        return sampler.stream(seed=i, temperature=temperatures[i])

    given = [(hidden[..., :n], (1 + i / 10) * F0[:, :n]) for i, n in enumerate(lengths)]
    alone = [sampler.add([stream(i)], [frames_of(*told)])[0] for i, told in enumerate(given)]
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
        assert len(wave) >= lengths[number] * STEPS * decoder.bands
        np.testing.assert_allclose(wave[: len(alone[number])], alone[number], atol=1e-5)


def resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs /proc")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("weights", ["int8", "float32"])
@torch.no_grad()
def test_memory_grows_with_neither_length_nor_calls(decoder, hidden, weights):
    sampler = WaveNetSampler(decoder, STEPS, weights)
    long = [Frames(*(torch.cat(20 * [part], -1) for part in frames_of(hidden)))]
    stream = sampler.stream(seed=1)
    for _ in range(5):  # until the allocator has what it keeps
        sampler.add([stream], long)
    before = resident_bytes()
    for _ in range(30):
        sampler.add([stream], long)
    assert len(stream.state.rings) == sum(decoder.stack.dilations)
    # An allocator breathes by 3 MB; what 30 calls work with is 20 MB.
    assert resident_bytes() - before < 8 * 2**20


def test_joining_blocks_is_joining_the_whole(decoder):
    bands = torch.randn(1, decoder.bands, 200)
    joiner = BandJoiner(decoder.bank)
    blocks = [joiner.add(part) for part in bands.split([1, 3, 90, 106], -1)] + [joiner.finish()]
    whole = decoder.bank.join(bands)[0].numpy()
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5)
