"""Where frames take several codebooks in turn: layouts that lose nothing and mix nothing."""

import pytest
import torch

from vqspeech.nn.interleaving import by_book, in_turn, picked, spread


def test_an_end_within_a_turn_is_filled_with_zeros_and_cut_off_again():
    x = torch.randn(2, 3, 7)
    found = by_book(x, 4)
    assert found.shape == (2, 12, 2) and not bool(found[:, 9:, 1].any())
    assert torch.equal(in_turn(found, 4, 7), x)


@pytest.mark.parametrize("books", [1, 2, 4])
def test_by_book_puts_each_books_frames_into_its_channels(books):
    x = torch.randn(3, 5, 8)
    found = by_book(x, books)
    assert found.shape == (3, 5 * books, 8 // books)
    for book in range(books):
        assert torch.equal(found[:, 5 * book : 5 * (book + 1)], x[..., book::books])
    assert torch.equal(in_turn(found, books, 8), x)


@pytest.mark.parametrize("books", [1, 2, 4])
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
