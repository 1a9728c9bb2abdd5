"""Phonemes read from codes: what counts, and what learns from it."""

import pytest
import torch
import torch.nn.functional as F

from vqspeech.nn.phoneme_reader import UNKNOWN, PhonemeReader
from vqspeech.nn.phonemes import PHONEMES, SILENCE

DIM, FRAMES = 6, 12


@pytest.fixture
def reader():
    return PhonemeReader(DIM).eval()


@pytest.fixture
def labels():
    """Of two recordings, half of them unknown."""
    found = torch.randint(0, len(PHONEMES), (2, FRAMES))
    found[0, ::2] = UNKNOWN
    found[1, :6] = UNKNOWN
    return found


def test_the_phonemes():
    assert len(PHONEMES) == len(set(PHONEMES)) == 40 and PHONEMES[-1] == SILENCE


def test_a_frame_is_read_from_its_neighbours(reader):
    z = torch.randn(1, DIM, FRAMES).requires_grad_()
    logits = reader(z)
    assert logits.shape == (1, FRAMES, len(PHONEMES))
    logits[0, 5].square().sum().backward()
    assert z.grad[0].any(0).nonzero()[:, 0].tolist() == [3, 4, 5, 6, 7]


def test_loss_counts_known_frames_alone(reader, labels):
    z = torch.randn(2, DIM, FRAMES)
    known = labels != UNKNOWN
    wanted = F.cross_entropy(reader(z)[known], labels[known])
    torch.testing.assert_close(reader.loss(z, labels), wanted)
    # A frame that no known one has as its neighbour may be anything.
    other = z.clone()
    other[1, :, :4] += 1.0
    assert torch.equal(reader.loss(other, labels), reader.loss(z, labels))
    other[1, :, 4] += 1.0
    assert not torch.equal(reader.loss(other, labels), reader.loss(z, labels))


def test_loss_is_zero_where_nothing_is_known(reader, labels):
    z = torch.randn(2, DIM, FRAMES).requires_grad_()
    loss = reader.loss(z, torch.full_like(labels, UNKNOWN))
    assert float(loss.detach()) == 0
    loss.backward()
    assert not bool(z.grad.any()), "no NaN either"


def test_gradients_reach_the_codes_and_the_reader(reader, labels):
    z = torch.randn(2, DIM, FRAMES).requires_grad_()
    reader.loss(z, labels).backward()
    reached = z.grad.any(1)
    assert bool(reached[0].all()) and reached[1].tolist() == [False] * 4 + [True] * 8
    assert all(bool(parameter.grad.any()) for parameter in reader.parameters())


def test_loss_is_float32_under_mixed_precision(reader, labels):
    z = torch.randn(2, DIM, FRAMES)
    with torch.autocast("cpu", torch.bfloat16):
        loss = reader.loss(z, labels)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, reader.loss(z, labels), rtol=0.02, atol=0)
