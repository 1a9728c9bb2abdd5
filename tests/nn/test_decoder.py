"""The WaveNet decoder: mu-law, causality, band scales."""

import math

import numpy as np
import pytest
import torch

from vqspeech.audio.signal import MU_LEVELS, MU_ZERO, mu_law_table
from vqspeech.config.networks import DecoderConfig
from vqspeech.nn.decoder import HEADROOM, SPAN, WaveNetDecoder
from vqspeech.nn.filter_banks import LogMel
from vqspeech.nn.prediction import predicted_of

HIDDEN, MELS = 5, 40


def decoder_of(bands, **options):
    options = {"residual_channels": 6, "skip_channels": 8, "layers": 4, "cycle": 3} | options
    return WaveNetDecoder(DecoderConfig(bands=bands, **options), HIDDEN, MELS).eval()


def residual_of(bands):
    """A decoder that draws residuals of a prediction, with a scale."""
    decoder = decoder_of(bands, scaled=True, prediction=4)
    decoder.scale.copy_(torch.linspace(15, 20, bands))
    return decoder


def periodic_of(bands, gain=0.8):
    """And a long-term prediction."""
    decoder = decoder_of(bands, scaled=True, prediction=4, long_term=gain)
    decoder.scale.copy_(torch.linspace(15, 20, bands))
    return decoder


def voice(samples=6400, f0=125.0):
    """Harmonics of F0 up to 2 kHz, a little noise; with its log-mel and F0."""
    time = torch.arange(samples) / 16_000
    parts = [torch.cos(2 * math.pi * k * f0 * time + k * k) for k in range(1, 16)]
    wave = (0.02 * torch.stack(parts).sum(0) + 0.0005 * torch.randn(samples))[None]
    return wave, LogMel(MELS)(wave), torch.full((1, samples // 160), f0)


def speech_like(batch=2, samples=1600):
    """Noise whose spectrum falls, with its log-mel."""
    wave = torch.randn(batch, samples)
    wave = 0.02 * (wave + 0.95 * wave.roll(1, -1) + 0.6 * wave.roll(2, -1))
    return wave, LogMel(MELS)(wave)


def said(decoder, wave):
    return decoder.truth(wave).indices


@torch.no_grad()
def test_mu_law_of_all_levels_is_their_index():
    indices = said(decoder_of(1), torch.from_numpy(mu_law_table())[None])
    assert indices[0, :, 0].tolist() == list(range(MU_LEVELS))


@torch.no_grad()
def test_mu_law_of_random_values_is_the_nearest_level():
    """Nearest on the compressed scale: within half a step of it, but for the last place."""
    rng = np.random.default_rng(0)
    loud = rng.uniform(-1.2, 1.2, 20_000)
    quiet = rng.standard_normal(20_000) * 0.01
    x = np.concatenate([loud, quiet, [0.0, -0.0, 1.0, -1.0, 1e-9]]).astype(np.float32)
    found = said(decoder_of(1), torch.from_numpy(x)[None])[0, :, 0].numpy()
    table, heard = mu_law_table().astype(float), np.clip(x, -1, 1).astype(float)
    below, above = table[np.maximum(found - 1, 0)], table[np.minimum(found + 1, 255)]
    assert (below <= heard).all() and (heard <= above).all()
    compressed = [np.sign(v) * np.log1p(255 * np.abs(v)) for v in (heard, table[found])]
    assert np.abs(compressed[0] - compressed[1]).max() <= np.log(256) / 127 / 2 + 1e-5


@pytest.mark.parametrize("bands", [1, 4])
@torch.no_grad()
def test_what_is_drawn_gives_the_bands_within_a_level(bands):
    decoder = decoder_of(bands)
    decoder.scale.copy_(torch.linspace(0.3, 0.9, bands))
    wave = 0.05 * torch.randn(2, 400)
    indices, known, full_scale = decoder.truth(wave)
    assert indices.shape == full_scale.shape == (2, 400 // bands, bands) and known is None
    back, truth = decoder.table[indices] * full_scale, decoder.bank.split(wave).mT
    relative = (back - truth).abs() / (truth.abs() + decoder.scale / 255)
    assert float(relative.max()) < 0.5 * (256 ** (1 / 127) - 1) + 1e-3
    assert set(said(decoder, torch.zeros(1, 40)).unique().tolist()) == {MU_ZERO}


@pytest.mark.parametrize("bands", [1, 4])
@torch.no_grad()
def test_a_residual_and_its_prediction_give_the_bands_within_a_level(bands):
    decoder, (wave, log_mel) = residual_of(bands), speech_like()
    indices, known, full_scale = decoder.truth(wave, log_mel)
    assert indices.shape == full_scale.shape == (2, 1600 // bands, bands)
    assert known is not None and known.shape == (2, 1600 // bands, 2 * bands)
    assert ((indices > 0) & (indices < MU_LEVELS - 1)).float().mean() > 0.99, "it is cut off"
    truth = decoder.bank.split(wave)
    predicted = predicted_of(truth, decoder.predictor(log_mel).coefficients).mT
    residual = truth.mT - predicted
    off = (decoder.table[indices] * full_scale - residual).abs()
    half = 0.5 * (256 ** (1 / 127) - 1) + 1e-3
    assert ((off <= half * (residual.abs() + full_scale / 255)) | (indices == 0)).all()
    told = decoder.table[known] * SPAN * full_scale.repeat(1, 1, 2)
    last = torch.nn.functional.pad(truth.mT[:, :-1], (0, 0, 1, 0))
    for found, wanted in zip(told.split(bands, -1), (predicted, last), strict=True):
        assert ((found - wanted).abs() <= half * (wanted.abs() + SPAN * full_scale / 255)).all()


@torch.no_grad()
def test_a_residual_does_not_grow_with_the_speech():
    """Its scale comes from the log-mel."""
    decoder, (wave, log_mel) = residual_of(4), speech_like()
    quiet, loud = decoder.truth(wave, log_mel), decoder.truth(4 * wave, log_mel + math.log(4))
    torch.testing.assert_close(loud.full_scale, 4 * quiet.full_scale)
    assert (quiet.indices == loud.indices).float().mean() > 0.999  # but for a rounding


@torch.no_grad()
def test_what_a_voice_repeats_is_not_drawn():
    """Of the lowest band; there alone."""
    wave, log_mel, f0 = voice()
    drawn = {}
    for gain in (0.0, 0.9):
        decoder = periodic_of(4, gain)
        found = decoder.truth(wave, log_mel, f0)
        drawn[gain] = (decoder.table[found.indices] * found.full_scale)[0, 400:]
    power = {gain: values.square().mean(0) for gain, values in drawn.items()}
    assert power[0.9][0] < 0.1 * power[0.0][0]
    torch.testing.assert_close(power[0.9][1:], power[0.0][1:])


@torch.no_grad()
def test_a_voice_is_drawn_in_finer_steps_and_what_has_none_as_ever():
    wave, log_mel, f0 = voice()
    f0[:, 20:] = 0
    plain, periodic = (periodic_of(4, gain).truth(wave, log_mel, f0) for gain in (0.0, 0.8))
    finer = periodic.full_scale / plain.full_scale
    torch.testing.assert_close(finer[0, :800, 0], torch.full((800,), 0.6))
    assert (finer[0, 800:] == 1).all() and (finer[..., 1:] == 1).all()
    assert torch.equal(plain.indices[:, 800:], periodic.indices[:, 800:])
    told = periodic_of(4).predictor(log_mel, f0)
    assert told.lags[0, :20].tolist() == [1024] * 20 and not told.lags[:, 20:].any()


@torch.no_grad()
def test_fit_scale_measures_what_a_period_leaves():
    wave, log_mel, f0 = voice(160_000)
    scales = {}
    for gain in (0.0, 0.9):
        decoder = decoder_of(4, scaled=True, prediction=4, long_term=gain)
        decoder.fit_scale(wave, log_mel, f0)
        scales[gain] = decoder.scale
    # In units of a deviation that is that much smaller itself.
    assert math.sqrt(1 - 0.9**2) * scales[0.9][0] < 0.5 * scales[0.0][0]
    torch.testing.assert_close(scales[0.9][1:], scales[0.0][1:])


@pytest.mark.parametrize("make", [decoder_of, residual_of])
@pytest.mark.parametrize("bands", [1, 4])
@torch.no_grad()
def test_mixed_precision_does_not_touch_the_target(bands, make):
    decoder, told = make(bands), speech_like()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = decoder.truth(*told)
    for found, wanted in zip(mixed, decoder.truth(*told), strict=True):
        assert found is wanted is None or torch.equal(found, wanted)


@pytest.mark.parametrize("bands", [1, 4])
@torch.no_grad()
def test_logits_depend_on_the_past_alone(bands):
    decoder = decoder_of(bands)
    reach = decoder.stack.receptive_field
    indices = torch.randint(0, MU_LEVELS, (1, 40, bands))
    hidden = torch.randn(1, HIDDEN, 10)
    logits = decoder(indices, hidden)
    assert logits.shape == (1, 40, bands, MU_LEVELS)
    for changed in (0, 17, 39):
        for band in range(bands):
            other = indices.clone()
            other[0, changed, band] = (other[0, changed, band] + 100) % MU_LEVELS
            moved = (decoder(other, hidden) - logits).abs().amax((0, 2, 3)) > 0
            wanted = [changed + 1 <= n <= changed + reach for n in range(40)]
            assert all(w or not m for w, m in zip(wanted, moved.tolist(), strict=True))
            if changed < 39:
                assert bool(moved[changed + 1])
            if changed + reach < 40:
                assert bool(moved[changed + reach]), "the receptive field is overstated"


@torch.no_grad()
def test_a_step_hears_what_is_known_before_it():
    decoder = residual_of(4)
    indices, known = (
        torch.randint(0, MU_LEVELS, (1, 40, 4)),
        torch.randint(0, MU_LEVELS, (1, 40, 8)),
    )
    hidden = torch.randn(1, HIDDEN, 10)
    logits = decoder(indices, hidden, known=known)
    for row in range(8):
        other = known.clone()
        other[0, 17, row] = (other[0, 17, row] + 100) % MU_LEVELS
        moved = (decoder(indices, hidden, known=other) - logits).abs().amax((0, 2, 3)) > 0
        assert not moved[:17].any() and bool(moved[17])
    with pytest.raises(ValueError, match="zip"):
        decoder(indices, hidden)


@pytest.mark.parametrize("make", [decoder_of, residual_of])
@torch.no_grad()
def test_widths_make_densities_of_probabilities(make):
    """Over all levels of a step they add up to all that a sample can be, in values of 16 bits."""
    decoder, scales = make(4), [0.5, 0.1, 0.02, 0.004]
    scale = torch.tensor(scales).expand(1, MU_LEVELS, 4)
    usual = torch.full((1, MU_LEVELS, 4), MU_ZERO)
    inner = float(decoder.table[MU_ZERO + 1] - decoder.table[MU_ZERO - 1]) / 2
    for band, own in enumerate(scales):
        one = usual.clone()
        one[0, :, band] = torch.arange(MU_LEVELS)
        ratios = (decoder.log_widths(one, scale) - decoder.log_widths(usual, scale)).exp()
        assert float(ratios.sum()) * inner * own == pytest.approx(2.0, rel=1e-4)
    alone = decoder.log_widths(usual, scale)[0, 0].exp() / 2.0 ** (4 * 15)
    assert float(alone) == pytest.approx(math.prod(inner * own for own in scales), rel=1e-4)
    louder = decoder.log_widths(usual, 1.5 * scale) - decoder.log_widths(usual, scale)
    torch.testing.assert_close(louder, torch.full_like(louder, 4 * math.log(1.5)))


@pytest.mark.parametrize("bands", [1, 4])
@torch.no_grad()
def test_nats_are_the_sum_over_bands_of_minus_log_p(bands):
    decoder = decoder_of(bands)
    indices = torch.randint(0, MU_LEVELS, (2, 12, bands))
    logits = 3 * torch.randn(2, 12, bands, MU_LEVELS)
    nats = decoder.nats(logits, indices)
    p = torch.softmax(logits.double(), -1).gather(-1, indices[..., None])[..., 0]
    torch.testing.assert_close(nats.double(), -p.log().sum(-1), rtol=1e-4, atol=1e-4)
    flat = decoder.nats(torch.zeros(2, 12, bands, MU_LEVELS), indices)
    torch.testing.assert_close(flat, torch.full((2, 12), bands * math.log(256)))


@pytest.mark.parametrize("bands", [1, 4])
def test_fit_scale_measures_loud_samples_of_each_band(bands):
    decoder = decoder_of(bands)
    wave = 0.05 * torch.randn(4, 8000)
    decoder.fit_scale(wave, LogMel(MELS)(wave))
    for band, scale in enumerate(decoder.scale):
        magnitude = decoder.bank.split(wave)[:, band].abs().flatten()
        loud = float(torch.quantile(magnitude, 0.999))
        assert float(scale) == pytest.approx(HEADROOM * loud, rel=0.02)


@pytest.mark.parametrize("bands", [1, 4])
def test_fit_scale_measures_loud_residuals_over_what_is_predicted_of_them(bands):
    decoder, (wave, log_mel) = residual_of(bands), speech_like(4, 8000)
    decoder.fit_scale(wave, log_mel)
    first = decoder.scale.clone()
    indices = decoder.truth(wave, log_mel).indices
    loud = torch.quantile(decoder.table[indices].abs().flatten(0, 1), 0.999, dim=0)
    torch.testing.assert_close(loud, torch.full((bands,), 1 / HEADROOM), rtol=0.05, atol=0.0)
    decoder.fit_scale(3 * wave, log_mel + math.log(3))
    torch.testing.assert_close(decoder.scale, first)


def test_fit_scale_stays_within_bounds():
    decoder, silence = decoder_of(4), torch.full((1, MELS, 2), -9.0)
    decoder.fit_scale(torch.zeros(1, 400), silence)
    assert decoder.scale.tolist() == pytest.approx([1e-3] * 4)
    decoder.fit_scale(torch.randn(1, 40_000), silence)
    assert decoder.scale.tolist() == [1.0] * 4
    residual = residual_of(4)
    for wave in (torch.zeros(1, 320), torch.randn(1, 320)):
        residual.fit_scale(wave, silence)
        assert (residual.scale > 0).all() and residual.scale.isfinite().all()
