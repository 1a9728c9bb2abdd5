"""Long-term prediction: periods found, and what they say."""

import math

import pytest
import torch

from vqspeech.nn.long_term import FRACTIONS, LOWEST_F0, REACH, LongTermPrediction

RATE = 4000
PREDICTION = LongTermPrediction(4, 0.8)
echoes, lags, nearest = PREDICTION.echoes, PREDICTION.lags, PREDICTION.nearest


def voice(period: float, steps: int = 2000) -> torch.Tensor:
    """Harmonics up to four fifths of the band, of a period in steps: float64 [1, N]."""
    n = torch.arange(steps, dtype=torch.float64)
    count = int(0.4 * period)
    parts = [torch.cos(2 * math.pi * k * n / period + k * k) for k in range(1, count + 1)]
    return torch.stack(parts).sum(0)[None] / count


def lag_of(period: float, frames: int = 50) -> torch.Tensor:
    return torch.full((1, frames), round(period * FRACTIONS))


def left_of(x: torch.Tensor, lag: torch.Tensor) -> float:
    """Part of the power that an echo does not explain, once there is a period before."""
    return float((x - echoes(x, lag))[:, 200:].square().mean() / x.square().mean())


@pytest.mark.parametrize("period", [9.0, 16.0, 27.3, 40.7, 95.0])
def test_a_voice_is_what_it_was_a_period_ago(period):
    assert left_of(voice(period), lag_of(period)) < 0.02
    assert left_of(voice(period), lag_of(period * 1.1)) > 0.3


def test_a_lag_of_whole_steps_is_the_sample_itself():
    x = torch.randn(2, 400, dtype=torch.float64)
    lag = torch.full((2, 10), 30 * FRACTIONS)
    lag[1, 5:] = 0
    found = echoes(x, lag)
    torch.testing.assert_close(found[0, 30:], x[0, :-30])
    torch.testing.assert_close(found[1, 30:200], x[1, :170])
    assert not found[:, : 30 - REACH].any() and not found[1, 200:].any()


def test_an_echo_comes_from_the_past_alone():
    x, lag = torch.randn(1, 400), torch.randint(REACH * FRACTIONS, 90 * FRACTIONS, (1, 10))
    changed = x.clone()
    changed[:, 200:] = 9.0
    torch.testing.assert_close(echoes(changed, lag)[:, :201], echoes(x, lag)[:, :201])
    assert not torch.equal(echoes(changed, lag), echoes(x, lag))


def test_lags_are_those_of_f0_and_in_reach():
    f0 = torch.tensor([[0.0, 100.0, 230.0, 1.0, 20_000.0]])
    found = lags(f0)
    assert found.tolist() == [
        [0, 40 * FRACTIONS, round(RATE / 230 * FRACTIONS), 100 * FRACTIONS, 5 * FRACTIONS]
    ]
    assert PREDICTION.steps >= RATE / LOWEST_F0 + REACH
    # The first value that the shortest lag asks for is a step old.
    assert found[0, -1] // FRACTIONS - REACH >= 1


def test_the_period_is_looked_for_beside_what_was_tracked():
    period = 33.4
    wrong = lag_of(1.04 * period)
    assert left_of(voice(period), wrong) > 0.2
    found = nearest(voice(period), wrong)
    assert found.shape == wrong.shape
    assert (abs(found[:, 6:-2] / FRACTIONS - period) < 0.006 * period).all()
    assert left_of(voice(period), found) < 0.03


def test_where_nothing_repeats_the_tracked_period_stays():
    lag = lag_of(30.0, 10)
    lag[:, 5:] = 0
    assert torch.equal(nearest(torch.zeros(1, 400), lag), lag)
    assert not nearest(torch.randn(1, 400), lag)[:, 5:].any()
