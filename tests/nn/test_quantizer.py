"""The quantizer: assignment, gradients, the moving averages, revival, jitter, figures."""

import copy
import math

import numpy as np
import pytest
import torch

from vqspeech.config.networks import QuantizerConfig
from vqspeech.nn.quantizer import VectorQuantizer, jitter_frames, perplexity

K, D = 12, 5


def make(initialised=True, **options):
    """A quantizer whose codes stand where they were put, without normalisation."""
    options = {"codebook_size": K, "dim": D, "normalise": False, "revive_below": 0.0} | options
    quantizer = VectorQuantizer(QuantizerConfig(**options))
    quantizer.initialised.fill_(initialised)
    return quantizer


def flat(x):
    """[B, D, F] to [B * F, D]."""
    return x.transpose(1, 2).reshape(-1, x.shape[1])


def state(quantizer):
    return copy.deepcopy(quantizer.state_dict())


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


# Assignment


@torch.no_grad()
def test_nearest_is_the_nearest():
    quantizer, z = make().eval(), torch.randn(3, D, 40)
    distances = torch.cdist(flat(z).double(), quantizer.codebook.double())
    assert torch.equal(quantizer.encode(z), distances.argmin(1).view(3, 40))
    out = quantizer(z)
    assert torch.equal(out.indices, quantizer.encode(z))
    torch.testing.assert_close(flat(out.z_q), quantizer.codebook[distances.argmin(1)])
    assert out.usage.tolist() == np.bincount(distances.argmin(1), minlength=K).tolist()


@torch.no_grad()
def test_lookup_inverts_encode_for_the_codes_themselves():
    quantizer = make().eval()
    every = torch.arange(K)[None]
    assert torch.equal(quantizer.encode(quantizer.lookup(every)), every)


@torch.no_grad()
def test_mixed_precision_does_not_move_frames_to_other_codes():
    quantizer, z = make(codebook_size=512).eval(), torch.randn(2, D, 200)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, forward = quantizer.encode(z), quantizer(z).indices
    assert torch.equal(mixed, quantizer.encode(z))
    assert torch.equal(forward, mixed)


# Gradients (van den Oord et al. 2017, equation 3)


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_straight_through_hands_the_gradient_to_the_encoder(update):
    quantizer = make(update=update)
    z = torch.randn(2, D, 9, requires_grad=True)
    weight = torch.randn(2, D, 9)
    (quantizer(z).z_q * weight).sum().backward()
    assert torch.equal(z.grad, weight)
    assert quantizer.codebook.grad is None or not quantizer.codebook.grad.any()


def test_codebook_term_moves_only_the_codes():
    quantizer = make(update="gradient")
    z = torch.randn(2, D, 9, requires_grad=True)
    out = quantizer(z)
    out.codebook_loss.backward()
    assert z.grad is None or not z.grad.any()
    wanted = torch.zeros(K, D)
    for frame, code in zip(flat(z.detach()), out.indices.flatten(), strict=True):
        wanted[code] += 2 * (quantizer.codebook.detach()[code] - frame) / z.numel()
    torch.testing.assert_close(quantizer.codebook.grad, wanted)


def test_commitment_moves_only_the_encoder():
    quantizer = make(update="gradient")
    z = torch.randn(2, D, 9, requires_grad=True)
    out = quantizer(z)
    out.commitment_loss.backward()
    assert quantizer.codebook.grad is None or not quantizer.codebook.grad.any()
    torch.testing.assert_close(z.grad, 2 * (z.detach() - out.z_q.detach()) / z.numel())


def test_moving_averages_leave_no_gradient_to_the_codebook():
    assert not make(update="ema").codebook.requires_grad
    assert make(update="gradient").codebook.requires_grad


# Moving averages (appendix A.1) and initialisation


def slow_update(counts, sums, codebook, frames, decay):
    """Equations 6 to 8, code by code."""
    chosen = ((frames[:, None] - codebook[None]) ** 2).sum(-1).argmin(1)
    for code in range(len(codebook)):
        members = frames[chosen == code]
        counts[code] = decay * counts[code] + (1 - decay) * len(members)
        sums[code] = decay * sums[code] + (1 - decay) * members.sum(0)
    return counts, sums, sums / counts[:, None]


def test_update_equals_a_slow_one():
    quantizer = make(ema_decay=0.8)
    expected = [
        x.detach().double().numpy().copy()
        for x in (quantizer.counts, quantizer.sums, quantizer.codebook)
    ]
    for _ in range(5):
        z = torch.randn(2, D, 20)
        expected = list(slow_update(*expected, flat(z).double().numpy(), 0.8))
        quantizer(z)
        for has, wanted in zip(
            (quantizer.counts, quantizer.sums, quantizer.codebook), expected, strict=True
        ):
            np.testing.assert_allclose(has.detach().numpy(), wanted, rtol=1e-4, atol=1e-4)


def test_a_code_that_is_never_used_stays_finite():
    quantizer = make(ema_decay=0.0)
    with torch.no_grad():
        quantizer.codebook[0] = 1000.0
    quantizer(torch.randn(2, D, 20))
    assert float(quantizer.counts[0]) == 0 and bool(quantizer.codebook.isfinite().all())


def test_codes_go_to_the_means_of_their_frames():
    quantizer = make(ema_decay=0.5)
    z = torch.randn(2, D, 100)
    for _ in range(60):
        indices = quantizer(z).indices.flatten()
    for code in indices.unique():
        mean = flat(z)[indices == code].mean(0)
        torch.testing.assert_close(quantizer.codebook.detach()[code], mean, rtol=1e-2, atol=1e-2)


def test_gradient_codebook_is_left_to_the_optimizer():
    quantizer = make(update="gradient")
    before = quantizer.codebook.detach().clone()
    quantizer(torch.randn(2, D, 20))
    assert torch.equal(quantizer.codebook, before)


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_first_batch_initialises_the_codes(update):
    quantizer = make(initialised=False, update=update, ema_decay=0.99999)
    z = 7.0 + 3.0 * torch.randn(2, D, 20)
    quantizer(z)
    assert bool(quantizer.initialised)
    distance = torch.cdist(quantizer.codebook.detach(), flat(z))
    assert float(distance.amin(1).max()) < 0.01
    assert len(distance.argmin(1).unique()) == K, "two codes from one frame"
    before = quantizer.codebook.detach().clone()
    quantizer(torch.randn(2, D, 20))
    assert float((quantizer.codebook.detach() - before).abs().max()) < 0.1, "initialised twice"


def test_fewer_frames_than_codes_still_give_different_codes():
    quantizer = make(initialised=False, update="gradient")
    quantizer(torch.randn(1, D, 3))
    assert len(quantizer.codebook.detach().unique(dim=0)) == K


@torch.no_grad()
def test_evaluation_does_not_initialise():
    quantizer = make(initialised=False).eval()
    before = state(quantizer)
    quantizer(7.0 + torch.randn(2, D, 20))
    assert same(before, state(quantizer))


# Revival


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_dead_codes_are_replaced_with_their_statistics(update):
    quantizer = make(update=update, ema_decay=0.9, revive_below=0.1)
    far = [2, 7]
    with torch.no_grad():
        quantizer.codebook[far] = 1000.0
        quantizer.sums[far] = 1000.0
    z = torch.randn(2, D, 40)
    steps = 0
    while float(quantizer.codebook.detach()[far].max()) > 100 and steps < 60:
        counts, steps = quantizer.counts.clone(), steps + 1
        quantizer(z)
    assert 2 < steps < 60 and float(counts[far].max()) < 0.2 * float(counts.mean())
    fresh = quantizer.codebook.detach()[far]
    assert float(torch.cdist(fresh, flat(z)).amin(1).max()) < 1e-4, "not a frame of the batch"
    mean = quantizer.counts[far]
    assert float(mean.min()) > 0.5 * float(quantizer.counts.mean())
    torch.testing.assert_close(quantizer.sums[far], fresh * mean[:, None])
    quantizer(z)
    moved = (quantizer.codebook.detach()[far] - fresh).norm(dim=1)
    assert float(moved.max()) < 3, "the old statistics undid the revival"


def test_without_revival_dead_codes_stay():
    quantizer = make(update="gradient", ema_decay=0.5, revive_below=0.0)
    with torch.no_grad():
        quantizer.codebook[3] = 1000.0
    for _ in range(30):
        quantizer(torch.randn(2, D, 40))
    assert float(quantizer.codebook.detach()[3].min()) == 1000.0


def test_dead_codes_are_counted():
    quantizer = make(revive_below=0.1)
    quantizer.counts.copy_(torch.tensor([0.0] * 3 + [5.0] * (K - 3)))
    assert quantizer.dead_codes().tolist() == [True] * 3 + [False] * (K - 3)


# Jitter


@torch.no_grad()
@pytest.mark.parametrize("probability", [0.12, 0.5])
def test_jitter_takes_neighbours_as_often_as_asked(probability):
    frames = 20_000
    x = torch.arange(frames).float()[None, None].expand(2, 3, frames)
    out = jitter_frames(x, probability)
    assert torch.equal(out[:, 0], out[:, 2]), "a frame's dimensions moved apart"
    moved = (out - x)[:, 0]
    assert set(moved.unique().tolist()) == {-1.0, 0.0, 1.0}
    deviation = math.sqrt(probability * (1 - probability) / moved.numel())
    for step in (-1.0, 1.0):
        share = float((moved == step).float().mean())
        assert abs(share - probability / 2) < 4 * deviation
    assert not torch.equal(moved[0], moved[1]), "the same frames in every item"


def test_jitter_hands_the_gradient_to_the_frame_that_was_taken():
    x = torch.randn(1, 2, 50, requires_grad=True)
    out = jitter_frames(x, 0.5)
    out.sum().backward()
    taken = (out.detach()[0, 0][:, None] == x.detach()[0, 0][None]).sum(0).float()
    assert torch.equal(x.grad[0, 0], taken)


@torch.no_grad()
def test_jitter_only_while_training():
    quantizer, z = make(jitter=0.5, update="gradient"), torch.randn(1, D, 200)
    out = quantizer(z)
    moved = (out.z_q - quantizer.lookup(out.indices)).abs().amax(1) > 0.1
    assert 0.2 < float(moved.float().mean()) < 0.6
    quantizer.eval()
    out = quantizer(z)
    torch.testing.assert_close(out.z_q, quantizer.lookup(out.indices))


# Normalisation, evaluation mode, figures


@torch.no_grad()
def test_normalisation_takes_any_scale():
    quantizer = make(initialised=False, normalise=True, codebook_size=8)
    for _ in range(200):
        quantizer(1000.0 + 50.0 * torch.randn(4, D, 50))
    quantizer.eval()
    out = quantizer(1000.0 + 50.0 * torch.randn(4, D, 50))
    assert int((out.usage > 0).sum()) == 8
    assert float(quantizer.codebook.abs().max()) < 4


@torch.no_grad()
def test_evaluation_changes_no_statistics():
    quantizer = make(normalise=True, jitter=0.5, ema_decay=0.5, revive_below=0.5, initialised=False)
    quantizer(torch.randn(2, D, 20))
    quantizer.eval()
    before = state(quantizer)
    out = quantizer(3 + torch.randn(2, D, 20))
    quantizer.encode(torch.randn(2, D, 20))
    assert same(before, state(quantizer))
    quantizer.train()
    quantizer(3 + torch.randn(2, D, 20))
    assert not same(before, state(quantizer))
    assert float(out.usage.sum()) == 40


def test_perplexity_values():
    assert float(perplexity(torch.ones(64))) == pytest.approx(64, rel=1e-5)
    assert float(perplexity(torch.tensor([0.0, 9.0, 0.0]))) == pytest.approx(1)
    assert float(perplexity(torch.tensor([3.0, 3.0, 0.0]))) == pytest.approx(2, rel=1e-5)
    p = np.array([0.5, 0.25, 0.25])
    wanted = math.exp(-(p * np.log(p)).sum())
    assert float(perplexity(torch.from_numpy(100 * p))) == pytest.approx(wanted, rel=1e-5)
    assert math.isfinite(float(perplexity(torch.zeros(4))))
