"""Speaker guidance: what of a difference is enlarged, and what is left as it is."""

import math

import pytest
import torch

from vqspeech.nn.guidance import guided

BANDS = 80


def ripple(periods):
    return torch.cos(math.pi * periods * (torch.arange(BANDS) + 0.5) / BANDS)[:, None]


@pytest.mark.parametrize("strength", [0.0, 0.5, 2.0])
@pytest.mark.parametrize(("periods", "counts"), [(0, 0), (1, 1), (5, 1), (11, 1), (12, 0), (30, 0)])
def test_shapes_are_guided_and_levels_and_harmonics_are_not(strength, periods, counts):
    average = torch.randn(2, BANDS, 3)
    own = average + ripple(periods)
    found = guided(own, average, strength)
    torch.testing.assert_close(found, own + counts * strength * ripple(periods), atol=1e-4, rtol=0)


def test_the_average_voice_is_not_guided():
    own = torch.randn(1, BANDS, 4)
    torch.testing.assert_close(guided(own, own, 3.0), own)
