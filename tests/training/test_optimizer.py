import pytest

from vqspeech.config.training import StageConfig
from vqspeech.training.optimizer import learning_rate

STAGE = StageConfig("joint", 900, learning_rate=1e-3, final_learning_rate=1e-4, warmup=100)


def test_warm_up_is_linear_and_never_zero():
    assert learning_rate(STAGE, 0) == pytest.approx(1e-5)
    assert learning_rate(STAGE, 49) == pytest.approx(5e-4)
    assert learning_rate(STAGE, 99) == pytest.approx(1e-3)


def test_constant_for_two_thirds():
    assert {learning_rate(STAGE, step) for step in range(100, 600)} == {1e-3}


def test_then_linear_to_the_final_rate():
    assert learning_rate(STAGE, 750) == pytest.approx(5.5e-4)
    assert learning_rate(STAGE, 899) == pytest.approx(1e-4, rel=0.05)
    assert learning_rate(STAGE, 900) == learning_rate(STAGE, 5000) == pytest.approx(1e-4)
    falling = [learning_rate(STAGE, step) for step in range(600, 901)]
    assert falling == sorted(falling, reverse=True)


def test_without_warm_up():
    assert learning_rate(StageConfig("joint", 900, warmup=0, learning_rate=1e-3), 0) == 1e-3


def test_one_step_stage():
    assert 0 < learning_rate(StageConfig("joint", 1), 0) <= 1e-3
