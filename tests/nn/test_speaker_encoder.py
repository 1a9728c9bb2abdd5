"""The speaker encoder: what it hears, what does not matter to it, whom it stands for."""

import math

import pytest
import torch

from vqspeech.config.networks import SpeakerEncoderConfig
from vqspeech.nn.filter_banks import LOG_FLOOR, LogMel
from vqspeech.nn.speaker_encoder import SpeakerEncoder, draw_heard, in_voice

CONFIG = SpeakerEncoderConfig(channels=12, dilations=(1, 2), share=0.5, invented=0.2)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return SpeakerEncoder(CONFIG, 16, 5).eval()


def speech(batch, frames):
    return torch.randn(batch, 16, frames) - 4.0


@pytest.mark.parametrize("frames", [1, 2, 7, 300])
def test_any_length_gives_one_vector(encoder, frames):
    vectors = encoder(speech(3, frames))
    assert vectors.shape == (3, 5) and bool(vectors.isfinite().all())


def test_a_row_does_not_depend_on_the_others(encoder):
    mel = speech(4, 50)
    torch.testing.assert_close(encoder(mel)[2:3], encoder(mel[2:3]))


def test_a_long_pause_at_the_end_changes_little_and_a_voice_much(encoder):
    mel = speech(1, 200)
    pause = torch.full((1, 16, 400), math.log(LOG_FLOOR))
    apart = (encoder(torch.cat([mel, pause], 2)) - encoder(mel)).norm()
    other = (encoder(speech(1, 200) + torch.linspace(-1, 1, 16)[:, None]) - encoder(mel)).norm()
    assert apart < 0.25 * other


def test_nothing_but_pauses_is_finite(encoder):
    mel = torch.full((1, 16, 40), math.log(LOG_FLOOR), requires_grad=True)
    encoder(mel).sum().backward()
    assert bool(mel.grad.isfinite().all())


def test_the_configured_share_is_given_and_half_of_it_invented():
    torch.manual_seed(1)
    heard = draw_heard(CONFIG, 10_000, "cpu", invent=True)
    invented = heard.scale != 1
    assert abs(heard.given.float().mean() - 0.5) < 0.02
    assert abs(invented.float().mean() - 0.25) < 0.02
    assert bool(heard.given[invented].all())
    assert heard.scale.log().abs().max() <= 0.2
    assert heard.scale[invented].log().std() > 0.1
    assert not heard.equaliser.any(), "it is asked for none"
    none = draw_heard(CONFIG, 100, "cpu", invent=False)
    assert bool((none.scale == 1).all())


def test_invented_voices_go_through_equalisers_of_the_configured_deviation():
    config = SpeakerEncoderConfig(share=1.0, invented=0.0, invented_equaliser=0.3)
    heard = draw_heard(config, 4000, "cpu", invent=True)
    made = heard.equaliser.any(1)
    assert abs(made.float().mean() - 0.5) < 0.04
    mel, centres = speech(1, 5).expand(4000, -1, -1), torch.linspace(100, 7000, 16)
    off = in_voice(mel, centres, heard) - mel
    assert torch.equal(off != 0, made[:, None, None].expand_as(off))
    assert 0.25 < float(off[made].std()) < 0.35
    torch.testing.assert_close(off[..., :1].expand_as(off), off, msg="all frames alike")
    reference = in_voice(speech(4000, 3), centres, heard)
    again = in_voice(speech(4000, 3), centres, heard.of(torch.arange(4000)))
    assert reference.shape == again.shape and heard.of(torch.tensor([7])).scale.shape == (1,)
    assert not draw_heard(config, 100, "cpu", invent=False).equaliser.any()


def test_an_invented_voice_moves_a_tone_by_its_scale():
    bank = LogMel(80)
    time = torch.arange(8000) / 16_000
    low, high = (0.1 * torch.sin(2 * torch.pi * hz * time)[None] for hz in (1000.0, 1150.0))
    torch.manual_seed(0)
    heard = draw_heard(SpeakerEncoderConfig(share=1.0), 1, "cpu", True)
    heard = heard._replace(scale=torch.tensor([1.15]))
    moved = in_voice(bank(low), bank.centres(), heard)[0].mean(1)
    assert abs(int(moved.argmax()) - int(bank(high)[0].mean(1).argmax())) <= 1
    assert int(moved.argmax()) > int(bank(low)[0].mean(1).argmax())


def test_a_voice_that_is_not_invented_stays_to_the_last_bit():
    mel = speech(2, 30)
    heard = draw_heard(CONFIG, 2, "cpu", invent=False)
    centres = torch.linspace(100, 7000, 16)
    assert torch.equal(in_voice(mel, centres, heard), mel)
