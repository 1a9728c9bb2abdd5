import math

import pytest
import tiny_whisper
import torch

from vqspeech.nn.teacher import Ears, Teacher, features, loudest


def log_mel(frames=40, batch=2):
    return torch.randn(batch, tiny_whisper.MELS, frames) - 5


def ears(layers=None):
    """Of a tiny Whisper; layers: only so many, without the last norm."""
    encoder = tiny_whisper.model().encoder
    if layers is not None:
        encoder.layers = encoder.layers[:layers]
        encoder.layer_norm = torch.nn.Identity()
    return Ears(encoder)


@pytest.fixture
def teacher():
    made = Teacher(ears(2), ears())
    made.fit(log_mel(batch=8))
    return made


def test_features_are_whispers():
    """log10 of power, at most 8 below the maximum, plus 4, over 4."""
    magnitude = torch.tensor([[[10.0, 1.0, 0.01, 1e-9]]])
    x = magnitude.log()
    found = features(x, loudest(x))
    torch.testing.assert_close(found, torch.tensor([[[1.5, 1.0, 0.0, -0.5]]]))
    # The loudest is that of the truth for both, and an odd frame is repeated.
    quiet = features(torch.full((1, 1, 3), -30.0), loudest(x))
    torch.testing.assert_close(quiet, torch.full((1, 1, 4), -0.5))
    assert features(x, loudest(x)).amax() == 2 * (2 * math.log10(10.0) + 4) / 8


def test_the_perceptual_term_is_of_what_was_predicted(teacher):
    true, off = log_mel(), torch.randn(2, tiny_whisper.MELS, 40)
    assert float(teacher(true, true).perceptual) == 0
    little, much = (float(teacher(true + c * off, true).perceptual) for c in (0.1, 1.0))
    assert 0 < little < much
    shifted = teacher(true + 0.1 * off, true - 0.1 * off)
    assert float(shifted.perceptual) > little


def test_the_gradient_goes_into_the_prediction_only(teacher):
    predicted, true = (log_mel().requires_grad_() for _ in range(2))
    teacher(predicted, true).perceptual.backward()
    assert bool(predicted.grad.any()) and true.grad is None
    assert all(not p.requires_grad and p.grad is None for p in teacher.parameters())
    assert not teacher(predicted, true).states.requires_grad


def test_states_have_mean_zero_and_deviation_one():
    teacher, true = Teacher(None, ears()), log_mel(batch=8)
    teacher.fit(true)
    found = teacher(true, true)
    assert found.perceptual is None and found.states.shape == (8, 20, tiny_whisper.WIDTH)
    flat = found.states.flatten(0, 1)
    torch.testing.assert_close(flat.mean(0), torch.zeros(12), atol=1e-5, rtol=0)
    torch.testing.assert_close(flat.std(0), torch.ones(12), atol=1e-3, rtol=0)
    assert Teacher(ears(1), None)(true, true).states is None


@pytest.mark.parametrize("frames", [1, 2, 7, 40, 100])
def test_any_length_is_heard_as_the_library_hears_it(teacher, frames):
    """And no call changes what the next one hears."""
    true = log_mel(frames)
    first = teacher(true, true).states
    assert first.shape == (2, -(-frames // 2), tiny_whisper.WIDTH)
    teacher(log_mel(64), log_mel(64))
    assert torch.equal(teacher(true, true).states, first)
    if frames == 100:  # what the model was made for
        whole = tiny_whisper.model().encoder.eval()
        states = whole(features(true, loudest(true))).last_hidden_state
        torch.testing.assert_close(first, teacher.whole.scaled(states))


def test_it_never_trains():
    teacher = Teacher(ears(2), ears())
    encoder = teacher.first.encoder
    assert not encoder.training and not encoder.layers[0].training


def test_bfloat16_says_nearly_the_same(teacher):
    true = log_mel(batch=8)
    predicted = true + 0.5 * torch.randn_like(true)
    exact = teacher(predicted, true)
    teacher.in_bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = teacher(predicted.requires_grad_(), true)
    assert found.perceptual.dtype == found.states.dtype == torch.float32
    found.perceptual.backward()
    assert predicted.grad.dtype == torch.float32
    assert float(found.perceptual.detach()) == pytest.approx(
        float(exact.perceptual.detach()), rel=0.05
    )
    assert float((found.states - exact.states).abs().mean()) < 0.1
