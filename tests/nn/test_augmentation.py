import math

import pytest
import torch

from vqspeech.config.networks import EncoderConfig
from vqspeech.nn.augmentation import draw, equalised, scaled
from vqspeech.nn.encoder import Encoder
from vqspeech.nn.filter_banks import LogMel, LowSpectrum

WARP = 0.2


def tone(hertz):
    return 0.1 * torch.sin(2 * math.pi * hertz * torch.arange(1600) / 16_000)[None]


def config_of(**options):
    known = {"channels": 8, "mels": 40, "low_bins": 64}
    return EncoderConfig(**known | options)


def encoder_of(**options):
    return Encoder(config_of(**options), 320, 6)


@torch.no_grad()
@pytest.mark.parametrize("option", ["vtlp", "pitch_shift", "equaliser"])
def test_recordings_are_augmented_in_training_only(option):
    encoder, wave = encoder_of(**{option: 0.2}), 0.1 * torch.randn(2, 3200)
    plain = encoder_of()
    plain.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(encoder.eval()(wave), plain.eval()(wave))
    assert torch.equal(plain.train()(wave), plain.eval()(wave))
    one, other = (encoder.train()(wave) for _ in range(2))
    assert not torch.allclose(one, other, atol=1e-4), "one is drawn at every step"
    torch.manual_seed(1)
    again = encoder(wave)
    torch.manual_seed(1)
    assert torch.equal(encoder(wave), again)


@torch.no_grad()
@pytest.mark.parametrize("pitch_shift", [0.0, 0.2])
def test_each_recording_is_scaled_by_its_own_amount(pitch_shift):
    wave = tone(500).repeat(1, 2).expand(64, -1)
    banks = encoder_of(vtlp=WARP, pitch_shift=pitch_shift).banks.train()
    bands = banks(wave)[:, 10]
    assert len({tuple(row.tolist()) for row in bands}) == 64
    centres = banks.log_mel.centres()[bands[:, :40].argmax(1)]
    low = banks.low.centres()[bands[:, 40:].argmax(1)]
    amounts, more = (centres / 500).log(), (low / centres).log()
    # Mel bands are 14 % apart here, low bins of 500 Hz 3 %.
    assert float(amounts.abs().max()) <= WARP + 0.08
    assert float(amounts.min()) < -0.12 and float(amounts.max()) > 0.12
    assert float(more.abs().max()) < pitch_shift + 0.12
    assert (float(more.std()) > 0.08) == bool(pitch_shift), (
        "the low spectrum by more, or by as much"
    )


def test_workers_draw_for_the_batch_of_all_of_them(monkeypatch):
    config = config_of(vtlp=WARP, pitch_shift=0.1, equaliser=0.3)
    torch.manual_seed(2)
    whole = draw(config, 6, "cpu")
    monkeypatch.setattr("vqspeech.nn.augmentation.world", lambda: 3)
    for rank in range(3):
        monkeypatch.setattr("vqspeech.nn.augmentation.rank", lambda rank=rank: rank)
        torch.manual_seed(2)
        own = draw(config, 2, "cpu")
        for part, everybody in zip(own, whole, strict=True):
            assert torch.equal(part, everybody[2 * rank : 2 * rank + 2])
    assert bool((whole.vtlp.log().abs() <= WARP).all())
    assert bool((whole.pitch_shift.log().abs() <= 0.1 + 1e-6).all())
    assert draw(config_of(), 6, "cpu") is None


# Frequencies scaled


@pytest.mark.parametrize("bank", [LogMel(80), LowSpectrum(64)])
def test_scaling_by_one_changes_nothing(bank):
    bands = torch.randn(2, len(bank.centres()), 3)
    assert torch.equal(scaled(bands, bank.centres(), torch.ones(2)), bands)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.15, 1.3])
@pytest.mark.parametrize(("bank", "hertz"), [(LogMel(80), 2000), (LowSpectrum(64), 500)])
def test_scaling_moves_a_peak_by_the_factor(bank, hertz, factor):
    """And each item by its own."""
    bands = bank(torch.cat([tone(hertz)] * 2))
    found = scaled(bands, bank.centres(), torch.tensor([factor, 1.0]))[..., 5]
    wanted = bank(tone(factor * hertz))[0, :, 5].argmax()
    assert abs(int(found[0].argmax()) - int(wanted)) <= 1
    assert torch.equal(found[1], bands[1, :, 5])


def test_what_lies_between_bands_is_interpolated_and_the_ends_go_on():
    centres, bands = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([[[10.0], [20.0], [60.0]]])
    # Bands at 1, 2, 4 come from 0.75, 1.5, 3; then from 2, 4, 8.
    for factor, wanted in ((4 / 3, [10.0, 15.0, 40.0]), (0.5, [20.0, 60.0, 60.0])):
        found = scaled(bands, centres, torch.tensor([factor]))[0, :, 0]
        torch.testing.assert_close(found, torch.tensor(wanted))


# Equalisers


@pytest.mark.parametrize("bank", [LogMel(80), LowSpectrum(64)])
def test_an_equaliser_is_the_same_at_all_times_and_of_the_wanted_deviation(bank):
    torch.manual_seed(0)
    ripples = draw(config_of(equaliser=0.4), 4000, "cpu").equaliser
    bands = torch.randn(4000, len(bank.centres()), 2)
    gain = equalised(bands, bank.centres(), ripples, -100.0) - bands
    torch.testing.assert_close(gain[..., 0], gain[..., 1], atol=1e-5, rtol=0)
    if isinstance(bank, LogMel):  # over all frequencies; the low spectrum has but some
        assert float(gain.std()) == pytest.approx(0.4, abs=0.06)
    assert abs(float(gain.mean())) < 0.1


def test_both_spectra_hear_the_same_equaliser():
    """Where mel bands and low bins have the same frequency, they have the same gain."""
    mel, low = LogMel(80).centres(), LowSpectrum(64).centres()
    ripples = torch.tensor([[0.3, -0.5, 0.2, 0.1]])
    gains = [equalised(torch.zeros(1, len(x), 1), x, ripples, -9.0)[0, :, 0] for x in (mel, low)]
    for band in range(2, 20):
        near = int((low - mel[band]).abs().argmin())
        assert float(gains[0][band]) == pytest.approx(float(gains[1][near]), abs=0.03)


def test_nothing_gets_quieter_than_the_floor():
    mel = LogMel(40)
    silence = mel(torch.zeros(1, 1600))
    found = equalised(silence, mel.centres(), torch.full((1, 4), -0.4), float(silence.min()))
    assert float(found.min()) == float(silence.min()) and float(found.max()) > float(silence.max())
