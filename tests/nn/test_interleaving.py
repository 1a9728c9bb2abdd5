"""Codebooks in turn: layouts that lose nothing and mix nothing, quantizers that are each plain."""

import copy

import pytest
import torch

from vqspeech.config.networks import QuantizerConfig
from vqspeech.nn.interleaving import InterleavedQuantizer, by_book, in_turn, picked, spread
from vqspeech.nn.quantizer import VectorQuantizer

K, D = 12, 5


def make(codebooks=2, initialised=True, **options):
    """A quantizer whose codes stand where they were put, without normalisation."""
    options = {"codebook_size": K, "dim": D, "normalise": False, "revive_below": 0.0} | options
    quantizer = InterleavedQuantizer(QuantizerConfig(codebooks=codebooks, **options))
    for book in quantizer.books:
        book.initialised.fill_(initialised)
    return quantizer


def flat(x):
    """[B, D, F] to [B * F, D]."""
    return x.transpose(1, 2).reshape(-1, x.shape[1])


@pytest.mark.parametrize("frames", [1, 2, 7, 8])
@pytest.mark.parametrize("books", [1, 2])
def test_by_book_parts_the_frames_and_in_turn_joins_them(books, frames):
    x = torch.randn(3, 5, frames)
    parts = by_book(x, books)
    assert len(parts) == books
    for book, part in enumerate(parts):
        assert torch.equal(part, x[..., book::books])
    assert torch.equal(in_turn(parts), x)


@pytest.mark.parametrize("books", [1, 2])
def test_spread_fills_a_frames_own_channels_alone(books):
    x = torch.randn(2, 7, 3)  # any number of frames
    wide = spread(x, books)
    assert wide.shape == (2, 7, 3 * books)
    for frame in range(7):
        own = slice(3 * (frame % books), 3 * (frame % books + 1))
        assert torch.equal(wide[:, frame, own], x[:, frame])
        assert int((wide[:, frame] != 0).sum()) == 2 * 3
    assert torch.equal(picked(wide, books), x)


def test_picked_takes_what_was_said_for_a_frames_own_book():
    said = torch.randn(1, 5, 4)
    found = picked(said, 2)
    assert torch.equal(found[:, ::2], said[:, ::2, :2])
    assert torch.equal(found[:, 1::2], said[:, 1::2, 2:])


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 7, 40])
def test_frames_take_the_codebooks_in_turn(frames):
    quantizer, z = make().eval(), torch.randn(3, D, frames)
    indices = quantizer.encode(z)
    z_q = quantizer.lookup(indices)
    for frame in range(frames):
        own = quantizer.books[frame % 2].codebook
        distances = torch.cdist(z[..., frame].double(), own.double())
        assert torch.equal(indices[:, frame], distances.argmin(1))
        torch.testing.assert_close(z_q[..., frame], own[distances.argmin(1)])
    assert torch.equal(z_q, quantizer.codebook[quantizer.rows(indices)].transpose(1, 2))


@torch.no_grad()
def test_terms_count_every_frame_and_every_code():
    quantizer, z = make().eval(), torch.randn(3, D, 40)
    found = quantizer(z)
    assert torch.equal(quantizer.encode(z), found.indices)
    assert torch.equal(
        found.usage, torch.bincount(quantizer.rows(found.indices).flatten(), None, 24)
    )
    z_q = quantizer.lookup(found.indices)
    torch.testing.assert_close(found.z_q, z_q)
    for loss in (found.codebook_loss, found.commitment_loss):
        torch.testing.assert_close(loss, (z - z_q).square().mean())


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_one_codebook_is_the_plain_quantizer(update):
    options = {"codebook_size": K, "dim": D, "update": update, "jitter": 0.3, "ema_decay": 0.7}
    plain = VectorQuantizer(QuantizerConfig(**options, revive_below=0.5))
    one = InterleavedQuantizer(plain.config)
    one.books[0].load_state_dict(copy.deepcopy(plain.state_dict()))
    for step in range(10):
        z, seen = torch.randn(2, D, 30), []
        for quantizer in (plain, one):
            torch.manual_seed(step)
            own = z.clone().requires_grad_()
            found = quantizer(own)
            (found.z_q.square().mean() + found.commitment_loss + found.codebook_loss).backward()
            seen.append((*found, own.grad))
        assert all(torch.equal(*pair) for pair in zip(*seen, strict=True))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, one.books[0].state_dict()[name]), name


def test_gradients_go_straight_through_to_every_frame():
    z, weight = torch.randn(2, D, 8, requires_grad=True), torch.randn(2, D, 8)
    (make()(z).z_q * weight).sum().backward()
    assert torch.equal(z.grad, weight)


def test_each_codebook_has_statistics_of_its_own():
    quantizer = make(initialised=False, normalise=True, ema_decay=0.5)
    z = torch.randn(2, D, 400)
    z[..., 1::2] = 50 + 9 * z[..., 1::2]
    for _ in range(40):
        found = quantizer(z)
    assert float(found.codebook_loss) < 1.5, "one scale for both"
    normal = quantizer.normalised(z).detach()
    assert float(normal.mean((0, 2)).abs().max()) < 1e-4
    rows, frames = quantizer.rows(found.indices).flatten(), flat(normal)
    used = rows.unique()
    assert bool((used < K).any()) and bool((used >= K).any())
    for row in used:  # the same batch forty times: each code is the mean of its own frames
        mean = frames[rows == row].mean(0)
        torch.testing.assert_close(quantizer.codebook.detach()[row], mean, rtol=1e-2, atol=1e-2)


def test_codebooks_begin_and_revive_with_frames_of_their_own():
    quantizer = make(initialised=False, ema_decay=0.9, revive_below=0.1)
    assert not quantizer.initialised
    z = torch.randn(2, D, 60)
    z[..., 1::2] += 1000
    quantizer(z)
    first, second = quantizer.books
    assert quantizer.initialised
    assert float(first.codebook.max()) < 500 < float(second.codebook.min())
    with torch.no_grad():
        second.codebook[5] = second.sums[5] = -1000.0
    for _ in range(60):
        quantizer(z)
    assert float(second.codebook.min()) > 500


def test_dead_codes_of_all_books_are_counted():
    quantizer = make(revive_below=0.1)
    for dead, book in zip((3, 1), quantizer.books, strict=True):
        book.counts.fill_(5.0)[:dead] = 0
    assert quantizer.dead_codes() == 4


@torch.no_grad()
def test_jitter_stays_within_a_codebook():
    quantizer, z = make(jitter=0.5, update="gradient"), torch.randn(1, D, 200)
    found = quantizer(z)
    z_q, moved = quantizer.lookup(found.indices)[0].T, []
    for frame, has in enumerate(found.z_q[0].T):
        near = [other for other in (frame - 2, frame, frame + 2) if 0 <= other < 200]
        assert any(torch.allclose(has, z_q[other], atol=1e-5) for other in near)
        moved.append(not torch.allclose(has, z_q[frame], atol=1e-5))
    assert 0.2 < sum(moved) / 200 < 0.6
