"""The GPU's step: on the CPU without a graph, and on a GPU with one where there is a GPU."""

import numpy as np
import pytest
import torch

from vqspeech.config import DecoderConfig
from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.sampling.graphed import GraphedFormat
from vqspeech.sampling.reference import ReferenceSampler
from vqspeech.sampling.work import Work

HIDDEN, HOLD = 12, 20
CUDA = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
)


@pytest.fixture(scope="module", params=[1, 4], ids=["full band", "four bands"])
def decoder(request):
    torch.manual_seed(3)
    config = DecoderConfig(
        bands=request.param, residual_channels=10, skip_channels=14, layers=5, cycle=3
    )
    decoder = WaveNetDecoder(config, HIDDEN).eval()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(2.0)
    return decoder


@torch.no_grad()
def jobs(decoder, frames, temperatures):
    """(bias [F, L, 2R], uniforms [F * hold, bands], temperature) of several streams."""
    rng = np.random.default_rng(0)
    for count, temperature in zip(frames, temperatures, strict=True):
        hidden = torch.from_numpy(rng.standard_normal((1, HIDDEN, count)).astype(np.float32))
        bias = decoder.cpu().conditioning(hidden)[0].numpy()
        uniforms = rng.random((count * HOLD, decoder.bands), dtype=np.float32)
        yield bias, uniforms, temperature


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_a_batch_gives_the_plain_samples(decoder, device):
    work = list(jobs(decoder, [4, 2, 4, 3], [1.0, 0.7, 0.0, 1.5]))
    plain = [
        ReferenceSampler(decoder).run(torch.from_numpy(b), HOLD, torch.from_numpy(u), t).numpy()
        for b, u, t in work
    ]
    form = GraphedFormat(decoder.to(device))
    found = form.sample([Work(form.new_state(), *item) for item in work], HOLD, 1)
    for samples, expected in zip(found, plain, strict=True):
        np.testing.assert_array_equal(samples, expected)
    decoder.cpu()


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_the_state_goes_on(decoder, device):
    (bias, uniforms, _), *_ = jobs(decoder, [5], [1.0])
    form = GraphedFormat(decoder.to(device))
    whole = form.sample([Work(form.new_state(), bias, uniforms, 1.0)], HOLD, 1)[0]
    state, cut = form.new_state(), 2
    parts = [
        form.sample([Work(state, bias[a:b], uniforms[a * HOLD : b * HOLD], 1.0)], HOLD, 1)[0]
        for a, b in ((0, cut), (cut, 5))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    decoder.cpu()
