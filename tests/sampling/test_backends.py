"""What every backend promises: its samples and logits, streams side by side, states that go on.

The GPU's runs uncaptured on the CPU, and with a graph where there is a GPU.
"""

import numpy as np
import pytest
import torch
from networks import F0, HIDDEN, KINDS, STEPS, decoder_of, excitation_of, known_of, work_of

from vqspeech.audio.signal import mu_law_table
from vqspeech.errors import InputError
from vqspeech.sampling.backend import backend_for, weights_for
from vqspeech.sampling.cuda import CudaBackend
from vqspeech.sampling.float32 import Float32Backend
from vqspeech.sampling.int8 import Int8Backend
from vqspeech.sampling.reference import ReferenceBackend, draw
from vqspeech.sampling.work import Drawn

FRAMES = F0.shape[1]
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
BACKENDS = [
    pytest.param((ReferenceBackend, "cpu"), id="reference"),
    pytest.param((Float32Backend, "cpu"), id="float32"),
    pytest.param((Int8Backend, "cpu"), id="int8"),
    pytest.param((CudaBackend, "cpu"), id="cuda, uncaptured"),
    pytest.param((CudaBackend, "cuda"), id="cuda", marks=GPU),
]


@pytest.fixture(scope="module", params=KINDS)
def plain(request):
    return decoder_of(**KINDS[request.param])


@pytest.fixture(params=BACKENDS)
def backend(plain, request):
    kind, device = request.param
    yield kind(plain.to(device))
    plain.cpu()


@pytest.fixture(scope="module")
def hidden():
    return torch.randn(1, HIDDEN, FRAMES, generator=torch.Generator().manual_seed(4))


def work_for(backend, decoder, hidden, **options):
    return work_of(decoder, backend.new_state(), hidden.to(decoder.scale.device), **options)


def same(found: Drawn, expected: Drawn) -> None:
    for mine, yours in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, yours)


@torch.no_grad()
def test_logits_are_the_training_graph(backend, plain, hidden):
    samples = torch.randint(0, 256, (1, FRAMES * STEPS, plain.bands))
    work = work_for(backend, plain, hidden)
    found = backend.logits(work, samples[0].numpy().astype(np.uint8))
    plain.cpu()
    known = known_of(plain, work, samples)
    whole = plain(samples, hidden, excitation=excitation_of(plain), known=known)[0].numpy()
    # Weights of 8 bits are other weights; `test_int8` holds them to their own arithmetic.
    tolerance = 0.5 * whole.std() if isinstance(backend, Int8Backend) else 1e-4
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=tolerance)
    again = backend.logits(work, samples[0].numpy().astype(np.uint8))
    assert not np.allclose(again, found, atol=1e-3), "the state did not go on"


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_samples_are_drawn_from_the_logits(backend, plain, hidden, temperature):
    """Exactly the reference's draws, of the backend's own logits."""
    work = work_for(backend, plain, hidden, temperature=temperature)
    [(found, _)] = backend.sample([work], 1)
    assert found.dtype == np.uint8 and len(np.unique(found)) > 2
    logits = backend.logits(work._replace(state=backend.new_state()), found)
    heat = torch.full(found.shape, temperature)
    expected = draw(torch.from_numpy(logits), torch.from_numpy(work.uniforms), heat)
    np.testing.assert_array_equal(found, expected.numpy())


def test_samples_are_the_reference_samples(backend, plain, hidden):
    if isinstance(backend, Int8Backend):
        pytest.skip("weights of 8 bits are other weights")
    [found] = backend.sample([work_for(backend, plain, hidden)], 1)
    reference = ReferenceBackend(plain.cpu())
    [expected] = reference.sample([work_for(reference, plain, hidden)], 1)
    same(found, expected)


def test_the_bands_follow_from_what_was_drawn(backend, plain, hidden):
    """The synthesis filter of each frame, which the whole draw goes through at once."""
    work = work_for(backend, plain, hidden)
    [(drawn, bands)] = backend.sample([work], 1)
    coefficients, scale = (
        np.repeat(part.astype(np.float64), len(drawn) // len(part), 0)
        for part in (work.coefficients, work.full_scale)
    )
    wanted, left = mu_law_table()[drawn] * scale, bands.astype(np.float64)
    for lag in range(1, 1 + coefficients.shape[-1]):
        left[lag:] -= coefficients[lag:, :, lag - 1] * bands[:-lag]
    if plain.long_term is not None:
        lowest, lags = (torch.from_numpy(x)[None] for x in (left[:, 0] / scale[:, 0], work.lags))
        echoes = plain.cpu().long_term.echoes(lowest, lags)[0].numpy()
        wanted[:, 0] += plain.long_term.gain * scale[:, 0] * echoes
    inside = abs(bands) < 1
    np.testing.assert_allclose(left[inside], wanted[inside], atol=1e-6)
    assert inside.mean() > 0.9 and bands.dtype == np.float32 and bands.std() > 0.01


def test_each_band_has_its_temperature_in_each_frame(backend, plain, hidden):
    """As where the backend draws each frame's at one temperature, from the same state."""
    rng = np.random.default_rng(3)
    heats = rng.choice([0.0, 0.5, 1.0, 1.6], (FRAMES, plain.bands)).astype(np.float32)
    work = work_for(backend, plain, hidden)
    [whole] = backend.sample([work._replace(temperatures=heats)], 1)
    logits = backend.logits(work._replace(state=backend.new_state()), whole.indices)
    heat = torch.from_numpy(heats).repeat_interleave(STEPS, 0)
    expected = draw(torch.from_numpy(logits), torch.from_numpy(work.uniforms), heat)
    np.testing.assert_array_equal(whole.indices, expected.numpy())
    [other] = backend.sample([work_for(backend, plain, hidden)], 1)
    assert not np.array_equal(whole.indices, other.indices)


@pytest.mark.parametrize("threads", [1, 3])
def test_streams_side_by_side_are_streams_alone(backend, plain, hidden, threads):
    def jobs():
        asked = zip([3, 1, 3, 2, 6, 6], [1.0, 0.7, 0.0, 1.5, 1.0, 0.9], strict=True)
        return [
            work_for(backend, plain, hidden[..., :frames], temperature=heat, seed=i)
            for i, (frames, heat) in enumerate(asked)
        ]

    alone = [backend.sample([work], 1)[0] for work in jobs()]
    for found, expected in zip(backend.sample(jobs(), threads), alone, strict=True):
        same(found, expected)


@pytest.mark.parametrize("cut", [1, 4])
def test_the_state_goes_on(backend, plain, hidden, cut):
    work, parts = work_for(backend, plain, hidden), []
    [whole] = backend.sample([work], 1)
    work = work._replace(state=backend.new_state())
    for frames in (slice(0, cut), slice(cut, FRAMES)):
        steps = slice(frames.start * STEPS, frames.stop * STEPS)
        part = work._replace(
            conditioning=work.conditioning[frames],
            inputs=work.inputs[steps],
            uniforms=work.uniforms[steps],
        )
        if plain.prediction is not None:
            told = ("coefficients", "full_scale", "lags")
            part = part._replace(**{name: getattr(work, name)[frames] for name in told})
        parts += backend.sample([part], 1)
    same(Drawn(*map(np.concatenate, zip(*parts, strict=True))), whole)


def test_draw_follows_the_distribution():
    logits = 2 * torch.randn(1, 1, 256, generator=torch.Generator().manual_seed(0))
    uniforms = (torch.arange(0.5, 4000) / 4000)[:, None]
    found = draw(logits.expand(4000, 1, 256), uniforms, torch.ones(4000, 1))
    frequency = torch.bincount(found.flatten(), minlength=256) / 4000
    assert (frequency - torch.softmax(logits[0, 0], 0)).abs().max() < 2 / 4000
    assert (draw(logits, uniforms[:1], torch.zeros(1, 1)) == logits.argmax()).all()


@pytest.mark.parametrize(
    ("weights", "device", "found"),
    [
        ("auto", "cpu", "int8"),
        ("int8", "cpu", "int8"),
        ("float32", "cpu", "float32"),
        ("auto", "cuda", "float32"),
        ("float32", "cuda", "float32"),
    ],
)
def test_weights_of_a_device(weights, device, found):
    assert weights_for(weights, device) == found


def test_weights_that_a_device_has_not_are_refused():
    with pytest.raises(InputError, match="float32 or auto"):
        weights_for("int8", "cuda")
    with pytest.raises(InputError, match="float32 or auto"):
        backend_for(decoder_of(1), "int8", torch.device("cuda"))
    with pytest.raises(InputError, match="auto, int8, float32"):
        weights_for("int4", "cpu")


@pytest.mark.parametrize(
    ("weights", "device", "kind"),
    [
        ("auto", "cpu", Int8Backend),
        ("int8", "cpu", Int8Backend),
        ("float32", "cpu", Float32Backend),
        ("auto", "cuda", CudaBackend),
        ("float32", "cuda", CudaBackend),
    ],
)
def test_the_backend_of_a_device(weights, device, kind):
    assert type(backend_for(decoder_of(1), weights, torch.device(device))) is kind
