"""The cepstral distance: what it counts, what it does not, and that it is finite for a frame."""

import pytest
import torch
from scipy.fft import dct

from vqspeech.nn.cepstra import CEPSTRA, LAG, CepstralDistance


def test_by_hand():
    off = torch.randn(2, 40, 9)
    cepstra = torch.from_numpy(dct(off.numpy(), norm="ortho", axis=1)[:, :CEPSTRA])
    change = cepstra[..., LAG:] - cepstra[..., :-LAG]
    wanted = cepstra.abs().mean() + change.abs().mean()
    torch.testing.assert_close(CepstralDistance(40)(off), wanted.float())


def test_shape_counts_and_ripples_do_not():
    distance, bands = CepstralDistance(80), torch.arange(80)
    tilt = torch.linspace(-1, 1, 80)[None, :, None].expand(1, 80, 20)
    ripple = torch.where(bands % 2 == 0, 1.0, -1.0)[None, :, None].expand(1, 80, 20)
    assert float(distance(tilt)) > 5 * float(distance(ripple))


def test_what_changes_counts_more_than_what_stays():
    distance, level = CepstralDistance(80), torch.ones(1, 80, 40)
    to_and_fro = level * torch.where(torch.arange(40) // LAG % 2 == 0, 1.0, -1.0)
    assert float(distance(to_and_fro)) == pytest.approx(3 * float(distance(level)))


@pytest.mark.parametrize("frames", [1, LAG])
def test_too_short_to_change(frames):
    off = torch.randn(1, 8, frames, requires_grad=True)
    CepstralDistance(8)(off).backward()
    assert bool(torch.isfinite(off.grad).all()) and bool(off.grad.any())
