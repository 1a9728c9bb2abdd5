"""The WaveNet decoder: mu-law, causality, band scales."""

import math

import numpy as np
import pytest
import torch

from vqspeech.audio.signal import MU_LEVELS, MU_ZERO, mu_law_table
from vqspeech.config.networks import DecoderConfig
from vqspeech.nn.decoder import HEADROOM, WaveNetDecoder

HIDDEN = 5


def decoder_of(bands, **options):
    options = {"residual_channels": 6, "skip_channels": 8, "layers": 4, "cycle": 3} | options
    return WaveNetDecoder(DecoderConfig(bands=bands, **options), HIDDEN).eval()


@torch.no_grad()
def test_mu_law_of_all_levels_is_their_index():
    indices = decoder_of(1).encode(torch.from_numpy(mu_law_table())[None])
    assert indices[0, :, 0].tolist() == list(range(MU_LEVELS))


@torch.no_grad()
def test_mu_law_of_random_values_is_the_nearest_level():
    """Nearest on the compressed scale: within half a step of it, but for the last place."""
    rng = np.random.default_rng(0)
    loud = rng.uniform(-1.2, 1.2, 20_000)
    quiet = rng.standard_normal(20_000) * 0.01
    x = np.concatenate([loud, quiet, [0.0, -0.0, 1.0, -1.0, 1e-9]]).astype(np.float32)
    found = decoder_of(1).encode(torch.from_numpy(x)[None])[0, :, 0].numpy()
    table, heard = mu_law_table().astype(float), np.clip(x, -1, 1).astype(float)
    below, above = table[np.maximum(found - 1, 0)], table[np.minimum(found + 1, 255)]
    assert (below <= heard).all() and (heard <= above).all()
    compressed = [np.sign(v) * np.log1p(255 * np.abs(v)) for v in (heard, table[found])]
    assert np.abs(compressed[0] - compressed[1]).max() <= np.log(256) / 127 / 2 + 1e-5


@pytest.mark.parametrize("bands", [1, 4])
@torch.no_grad()
def test_bands_of_undoes_encode_within_a_level(bands):
    decoder = decoder_of(bands)
    decoder.scale.copy_(torch.linspace(0.3, 0.9, bands))
    wave = 0.05 * torch.randn(2, 400)
    indices = decoder.encode(wave)
    assert indices.shape == (2, 400 // bands, bands) and indices.dtype == torch.int64
    back, truth = decoder.bands_of(indices), decoder.bank.split(wave)
    relative = (back - truth).abs() / (truth.abs() + decoder.scale[:, None] / 255)
    assert float(relative.max()) < 0.5 * (256 ** (1 / 127) - 1) + 1e-3
    assert set(decoder.encode(torch.zeros(1, 40)).unique().tolist()) == {MU_ZERO}


@pytest.mark.parametrize("bands", [1, 4])
@torch.no_grad()
def test_mixed_precision_does_not_touch_the_target(bands):
    decoder, wave = decoder_of(bands), 0.1 * torch.randn(2, 800)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = decoder.encode(wave)
    assert torch.equal(mixed, decoder.encode(wave))


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
    decoder.fit_scale(wave)
    for band, scale in enumerate(decoder.scale):
        magnitude = decoder.bank.split(wave)[:, band].abs().flatten()
        loud = float(torch.quantile(magnitude, 0.999))
        assert float(scale) == pytest.approx(HEADROOM * loud, rel=0.02)


def test_fit_scale_stays_within_bounds():
    decoder = decoder_of(4)
    decoder.fit_scale(torch.zeros(1, 400))
    assert decoder.scale.tolist() == pytest.approx([1e-3] * 4)
    decoder.fit_scale(torch.randn(1, 40_000))
    assert decoder.scale.tolist() == [1.0] * 4
