import pytest
import torch

from vqspeech.training.watch import CodeUsage, collapse_warning, ignored_warning


def one_hot(code, times=1.0):
    return times * torch.eye(8)[code]


def test_usage_over_an_epoch():
    usage = CodeUsage(8, 3)
    assert [usage.add(one_hot(code)) for code in (0, 1, 0)] == [False, False, True]
    assert usage.figures()["epoch_codes_used"] == 2
    usage.add(one_hot(5))
    assert usage.figures()["epoch_codes_used"] == 2, "the last whole epoch counts"
    assert [usage.add(one_hot(5)) for _ in range(2)] == [False, True]
    assert usage.figures() == pytest.approx({"epoch_perplexity": 1, "epoch_codes_used": 1})


def test_usage_before_the_first_epoch_ends():
    usage = CodeUsage(8, 100)
    for code in range(4):
        usage.add(one_hot(code))
    assert usage.figures() == pytest.approx({"epoch_perplexity": 4, "epoch_codes_used": 4})


def test_usage_goes_on_in_the_middle_of_an_epoch():
    usage = CodeUsage(8, 3, step=5)
    assert usage.add(one_hot(0)) is True
    assert usage.add(one_hot(0)) is False


def test_epoch_shorter_than_a_step():
    assert CodeUsage(8, 0).add(one_hot(0)) is True


def test_collapse():
    healthy = {"epoch_perplexity": 60.0, "epoch_codes_used": 500.0}
    assert collapse_warning(healthy, 512) is None
    warning = collapse_warning({"epoch_perplexity": 20.0, "epoch_codes_used": 31.0}, 512)
    assert "collaps" in warning and "20 of 512" in warning and "31 codes" in warning


def test_ignored_codes():
    assert ignored_warning(right=2.0, shuffled=2.5) is None
    assert "ignores the codes" in ignored_warning(right=2.0, shuffled=2.001)
    assert "ignores the codes" in ignored_warning(right=2.0, shuffled=1.9)
