"""The GPU's step: on the CPU without a graph, and on a GPU with one where there is a GPU."""

import numpy as np
import pytest
import torch
from networks import F0, HIDDEN, HOLD, KINDS, decoder_of, drive_of

from vqspeech.sampling.cuda import GraphedFormat
from vqspeech.sampling.reference import ReferenceSampler
from vqspeech.sampling.work import Work

CUDA = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
)


@pytest.fixture(scope="module", params=KINDS)
def decoder(request):
    return decoder_of(*KINDS[request.param])


@torch.no_grad()
def jobs(decoder, frames, temperatures):
    """(bias, drive, uniforms, temperature) of several streams, as in `Work`."""
    rng = np.random.default_rng(0)
    for count, temperature in zip(frames, temperatures, strict=True):
        hidden = torch.from_numpy(rng.standard_normal((1, HIDDEN, count)).astype(np.float32))
        bias = decoder.cpu().conditioning(hidden)[0].numpy()
        drive = drive_of(decoder, F0[:, -count:])
        uniforms = rng.random((count * HOLD, decoder.bands), dtype=np.float32)
        yield bias, drive, uniforms, temperature


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_a_batch_gives_the_plain_samples(decoder, device):
    work = list(jobs(decoder, [3, 1, 3, 2], [1.0, 0.7, 0.0, 1.5]))
    plain = []
    for *arrays, temperature in work:
        bias, drive, uniforms = map(torch.from_numpy, arrays)
        plain.append(ReferenceSampler(decoder).run(bias, drive, HOLD, uniforms, temperature))
    form = GraphedFormat(decoder.to(device))
    found = form.sample([Work(form.new_state(), *item) for item in work], HOLD, 1)
    for samples, expected in zip(found, plain, strict=True):
        np.testing.assert_array_equal(samples, expected.numpy())
    decoder.cpu()


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_the_state_goes_on(decoder, device):
    (bias, drive, uniforms, heat), *_ = jobs(decoder, [3], [1.0])
    form = GraphedFormat(decoder.to(device))
    whole = form.sample([Work(form.new_state(), bias, drive, uniforms, heat)], HOLD, 1)[0]
    state, cut, parts = form.new_state(), 1, []
    for frames in (slice(0, cut), slice(cut, 3)):
        steps = slice(frames.start * HOLD, frames.stop * HOLD)
        work = Work(state, bias[frames], drive[steps], uniforms[steps], heat)
        parts.append(form.sample([work], HOLD, 1)[0])
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    decoder.cpu()
