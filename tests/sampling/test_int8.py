"""The int8 sampler against its own arithmetic written plainly, and against float32."""

import numpy as np
import pytest
import torch
from networks import F0, HIDDEN, KINDS, STEPS, decoder_of, known_of, work_of

from vqspeech.errors import InputError
from vqspeech.sampling.float32 import Float32Backend
from vqspeech.sampling.float32_weights import pack_wavenet
from vqspeech.sampling.int8 import Int8Backend
from vqspeech.sampling.int8_weights import aligned, quantise, quantise_wavenet

FRAMES = F0.shape[1]


def int16(x):
    """x to what the kernel makes of it: rounded to 1/32767 of its largest."""
    top = np.abs(x).max()
    return np.rint(x * (32767 / top)) * (top / 32767) if top else x


def plain_logits(decoder, work, samples):
    """Teacher-forced logits in float64, weights and inputs rounded as the kernels round them."""
    net = pack_wavenet(decoder)

    def rounded(matrix):
        steps, scale = quantise(matrix)
        return steps.astype(np.float64) * scale

    width, layers = net.embedding.shape[2], len(net.dilations)
    past_gates = [rounded(g[:width]) for g in net.gates]
    gates = [rounded(g[width:]) for g in net.gates]
    residual = [rounded(r) for r in net.residual]
    skip = rounded(net.skip.reshape(layers * width, -1)).reshape(net.skip.shape)
    hidden, output = rounded(net.hidden), rounded(net.output)
    past = [[np.zeros(width)] * int(d) for d in net.dilations]
    known = known_of(decoder, work, torch.from_numpy(samples.astype(np.int64))[None])
    known = np.zeros((len(samples), 0), np.int64) if known is None else known[0].numpy()
    previous, out = np.full(decoder.bands, 128), []
    for n, following in enumerate(samples):
        heard = [*previous, *known[n]]
        rows = [table[i] for table, i in zip(net.embedding, heard, strict=True)]
        x, total = np.sum([work.inputs[n], *rows], 0, np.float64), net.skip_bias.astype(np.float64)
        for layer in range(layers):
            present = int16(x)
            h = work.conditioning[n // STEPS, layer] + past[layer].pop(0) @ past_gates[layer]
            h = h + present @ gates[layer]
            past[layer].append(present)
            z = np.tanh(h[:width]) / (1 + np.exp(-h[width:]))
            z = np.rint(z * 32767) / 32767
            total = total + z @ skip[layer]
            x = x + z @ residual[layer] + net.residual_bias[layer]
        top = np.maximum(int16(np.maximum(total, 0)) @ hidden + net.hidden_bias, 0)
        out.append(int16(top) @ output + net.output_bias)
        previous = following
    return np.array(out).reshape(*samples.shape, 256)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_the_arithmetic_written_plainly(kind):
    decoder = decoder_of(**KINDS[kind])
    samples = np.random.default_rng(0).integers(0, 256, (FRAMES * STEPS, decoder.bands))
    samples, hidden = samples.astype(np.uint8), torch.randn(1, HIDDEN, FRAMES)
    int8, float32 = Int8Backend(decoder), Float32Backend(decoder)
    work = work_of(decoder, int8.new_state(), hidden)
    found, expected = int8.logits(work, samples), plain_logits(decoder, work, samples)
    # A gate output may round to the other side of a step of 3e-5, and so on up the stack.
    assert np.abs(found - expected).max() < 0.02 * expected.std()
    trained = float32.logits(work._replace(state=float32.new_state()), samples)
    assert 1e-4 < np.abs(found - trained).max() / expected.std() < 0.5


def test_many_layers_are_summed_in_pieces():
    decoder = decoder_of(bands=1, width=60, layers=20, cycle=2)
    assert quantise_wavenet(pack_wavenet(decoder)).skip_layers < 20
    samples = np.random.default_rng(0).integers(0, 256, (STEPS, 1)).astype(np.uint8)
    int8 = Int8Backend(decoder)
    work = work_of(decoder, int8.new_state(), torch.randn(1, HIDDEN, 1))
    expected = plain_logits(decoder, work, samples)
    assert np.abs(int8.logits(work, samples) - expected).max() < 0.02 * expected.std()


def test_quantise_has_a_scale_an_output():
    matrix = np.array([[1.0, -100.0, 0.0], [0.5, 30.0, 0.0]], np.float32)
    steps, scale = quantise(matrix)
    np.testing.assert_array_equal(steps, [[127, -127, 0], [64, 38, 0]])
    np.testing.assert_allclose(scale, [1 / 127, 100 / 127, 0], rtol=1e-6)


@pytest.mark.parametrize("size", [1, 64, 1000])
def test_weights_begin_with_a_cache_line(size):
    for seed in range(5):
        array = np.random.default_rng(seed).integers(-127, 128, size).astype(np.int8)
        found = aligned(array)
        np.testing.assert_array_equal(found, array)
        assert found.ctypes.data % 64 == 0 and found.flags.c_contiguous


def test_layers_too_wide_are_refused():
    with pytest.raises(InputError, match="float32"):
        Int8Backend(decoder_of(bands=1, width=8, channels=600, layers=1, cycle=1))
