"""Linear prediction in each band: its normal equations, its filters, what it leaves."""

import numpy as np
import pytest
import torch

from vqspeech.nn.filter_banks import LogMel
from vqspeech.nn.prediction import LOUDEST, BandPrediction, levinson, predicted_of
from vqspeech.nn.subbands import FilterBank

MELS, ORDER = 80, 8


def resonant(samples=32_000, hz=(500.0, 2300.0, 5200.0), width=80.0):
    """White noise through resonances, as of a vocal tract: [1, T]."""
    noise, spectrum = np.random.default_rng(0).standard_normal(samples), 0
    frequencies = np.fft.rfftfreq(samples, 1 / 16_000)
    for centre in hz:
        spectrum = spectrum + 1 / (1 + ((frequencies - centre) / width) ** 2)
    wave = np.fft.irfft(np.fft.rfft(noise) * np.sqrt(spectrum))
    return torch.tensor(0.05 * wave / wave.std(), dtype=torch.float32)[None]


def test_levinson_solves_the_normal_equations():
    x = torch.randn(5, 3, 400, dtype=torch.float64)
    lags = [(x * x.roll(lag, -1)).mean(-1) for lag in range(ORDER + 1)]
    correlation = torch.stack(lags, -1)
    found, error = levinson(correlation)
    at = (torch.arange(ORDER)[:, None] - torch.arange(ORDER)).abs()
    wanted = torch.linalg.solve(correlation[..., at], correlation[..., 1:])
    torch.testing.assert_close(found, wanted)
    left = correlation[..., 0] - (wanted * correlation[..., 1:]).sum(-1)
    torch.testing.assert_close(error, left)


def test_levinson_of_order_nothing_leaves_the_power():
    found, error = levinson(torch.tensor([[3.0], [2.0]]))
    assert found.shape == (2, 0) and error.tolist() == [3.0, 2.0]


@torch.no_grad()
def test_predictions_are_the_sums_of_what_was_before():
    bands, coefficients = torch.randn(2, 3, 12), torch.randn(2, 4, 3, 2)
    found = predicted_of(bands, coefficients)
    for b, k, n in np.ndindex(2, 3, 12):
        past = [bands[b, k, n - lag] if n >= lag else torch.zeros(()) for lag in (1, 2)]
        wanted = sum(c * x for c, x in zip(coefficients[b, n // 3, k], past, strict=True))
        assert float(found[b, k, n]) == pytest.approx(float(wanted), abs=1e-5)
    assert not predicted_of(bands, coefficients[..., :0]).any()


@pytest.mark.parametrize("bands", [1, 4])
@torch.no_grad()
def test_it_takes_away_what_a_log_mel_knows_of(bands):
    """Resonances: what is left is smaller, whiter, and as strong as foretold."""
    wave = resonant()
    split = FilterBank(bands).split(wave)
    predictor = BandPrediction(bands, MELS, ORDER)(LogMel(MELS)(wave))
    left = split - predicted_of(split, predictor.coefficients)
    gain = 10 * torch.log10(split.square().mean(-1) / left.square().mean(-1))[0]
    assert float(gain.max()) > 6 and float(gain.min()) > -0.5, gain
    scale = predictor.full_scale.transpose(1, 2).repeat_interleave(160 // bands, -1)
    deviations = (left / scale).square().mean(-1).sqrt()[0]
    assert float(deviations.max() / deviations.min()) < 1.3, "bands differ"


@torch.no_grad()
def test_the_filters_are_stable():
    """Poles within the unit circle, whatever the log-mel: a stream may be told anything."""
    wild = 6 * torch.randn(1, MELS, 50) - 4
    found = BandPrediction(4, MELS, ORDER)(wild).coefficients[0].double()
    companion = torch.zeros(*found.shape[:2], ORDER, ORDER, dtype=torch.float64)
    companion[..., 0, :] = found
    companion[..., 1:, :-1] = torch.eye(ORDER - 1, dtype=torch.float64)
    assert torch.linalg.eigvals(companion).abs().max() < 1


@torch.no_grad()
def test_each_frame_speaks_for_itself():
    predict = BandPrediction(4, MELS, ORDER)
    log_mel = torch.randn(1, MELS, 6) - 5
    whole, one = predict(log_mel), predict(log_mel[..., 2:3])
    for all_frames, alone in zip(whole, one, strict=True):
        torch.testing.assert_close(all_frames[:, 2:3], alone)


@torch.no_grad()
def test_whatever_it_is_told_it_says_numbers():
    """A voice that nobody has may have a log-mel beyond all."""
    for log_mel in (torch.full((1, MELS, 2), -1e5), torch.full((1, MELS, 2), 1e5)):
        found = BandPrediction(4, MELS, ORDER)(log_mel)
        assert found.coefficients.isfinite().all() and (found.full_scale > 0).all()
    wild = 1e5 * torch.randn(1, MELS, 20)
    found = BandPrediction(4, MELS, ORDER)(wild)
    assert found.coefficients.isfinite().all() and found.full_scale.isfinite().all()
    loud = [LogMel(MELS)(torch.sin(torch.arange(1600.0) * f)[None]).max() for f in (0.1, 1.0, 2.5)]
    assert max(loud) < LOUDEST, "speech may be so loud"
