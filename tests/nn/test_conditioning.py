import dataclasses
import math

import pytest
import torch

from vqspeech.nn.conditioning import HIGHEST_F0, LOG_F0_SCALE, LOWEST_F0, Conditioning, Pitch

DIM = 6


def conditioning_of(config):
    return Conditioning(config.conditioning, DIM, config.encoder.mels, config.hop).eval()


def ones(batch, frames):
    return torch.ones(batch, 1, frames)


def test_receptive_field_is_exactly_context_frames(narrow):
    net = conditioning_of(narrow)
    frame, frames = net.context_frames + 2, 2 * net.context_frames + 5
    z = torch.randn(1, DIM, frames).requires_grad_()
    net(z, torch.randn(1, 4), ones(1, frames))[..., frame].sum().backward()
    seen = z.grad[0].any(0).nonzero()[:, 0]
    context = net.context_frames
    assert (int(seen[0]), int(seen[-1])) == (frame - context, frame + context)


@torch.no_grad()
def test_batch_is_its_items_alone(narrow):
    net = conditioning_of(narrow)
    z, speaker = torch.randn(3, DIM, 12), torch.randn(3, 4)
    own = torch.tensor([12, 1, 7])
    mask = (torch.arange(12) < own[:, None]).float()[:, None]
    together = net(z, speaker, mask)
    for row, frames in enumerate(own):
        alone = net(z[row : row + 1, :, :frames], speaker[row : row + 1], ones(1, frames))
        torch.testing.assert_close(together[row : row + 1, :, :frames], alone)
        assert not bool(together[row, :, frames:].any())


@torch.no_grad()
def test_speaker_shifts_every_frame(narrow):
    net = conditioning_of(narrow)
    z = torch.randn(1, DIM, 5)
    one, other = (net(z, torch.randn(1, 4), ones(1, 5)) for _ in range(2))
    assert bool(((one - other).abs().amax(1) > 1e-3).all())


def test_a_speaker_that_scales_begins_as_one_that_only_shifts(narrow):
    plain, scaling = (
        Conditioning(
            dataclasses.replace(narrow.conditioning, film=film, dilations=(1, 2)),
            DIM,
            narrow.encoder.mels,
            narrow.hop,
        ).eval()
        for film in (False, True)
    )
    missing = scaling.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing and all(key.endswith(".film.weight") for key in missing)
    z, speaker = torch.randn(2, DIM, 7), torch.randn(2, 4)
    found = scaling(z, speaker, ones(2, 7))
    torch.testing.assert_close(found, plain(z, speaker, ones(2, 7)))
    found.square().sum().backward()
    first = scaling.blocks[0].film.weight
    assert bool(first.grad.any())
    with torch.no_grad():
        first += 1
    moved = scaling(z, speaker, ones(2, 7)) - found.detach()
    assert bool(moved.any(1).all()), "in every frame"


@pytest.mark.parametrize("frames", [1, 4])
def test_log_mel_has_a_row_every_ten_milliseconds(narrow, frames):
    net = conditioning_of(narrow)
    if not narrow.conditioning.log_mel_head:
        assert net.log_mel_head is None
        return
    per_code = narrow.hop // 160
    hidden = torch.randn(2, 8, frames)
    mel = net.log_mel(hidden)
    assert mel.shape == (2, 16, frames * per_code)
    # The rows of a code depend on that code alone, and are its own.
    last = net.log_mel(hidden[..., -1:])
    torch.testing.assert_close(mel[..., -per_code:], last)


@pytest.mark.parametrize("frames", [1, 4])
def test_pitch_has_a_frame_every_ten_milliseconds(narrow, frames):
    net = conditioning_of(narrow)
    if not narrow.conditioning.pitch_head:
        assert net.pitch_head is None
        return
    per_code = narrow.hop // 160
    hidden = torch.randn(2, 8, frames)
    pitch = net.pitch(hidden)
    assert pitch.log_f0.shape == pitch.voicing.shape == (2, frames * per_code)
    last = net.pitch(hidden[..., -1:])
    for part, own in zip(pitch, last, strict=True):
        torch.testing.assert_close(part[:, -per_code:], own)
        assert part.unique().numel() == part.numel(), "every frame has its own weights"


def test_untrained_pitch_is_that_of_a_voice(narrow_base):
    found = conditioning_of(narrow_base).pitch(torch.randn(4, 8, 50)).log_f0.exp()
    assert 100 < float(found.median()) < 220


def logs(*hertz):
    return torch.tensor([hertz]).log()


def test_f0_is_zero_without_a_voice_and_within_bounds():
    pitch = Pitch(logs(100.0, 200.0, 7.0, 5000.0, 300.0), torch.tensor([[1, -1, 0.1, 9, 0.0]]))
    torch.testing.assert_close(pitch.f0(), torch.tensor([[100.0, 0, LOWEST_F0, HIGHEST_F0, 0]]))
    far = Pitch(torch.tensor([[1e4, -1e4]]), torch.ones(1, 2))
    assert far.f0().tolist() == [[HIGHEST_F0, LOWEST_F0]]


def minus_log_p(logit, voiced):
    return math.log1p(math.exp(-logit if voiced else logit))


def test_loss_of_pitch_by_hand():
    pitch = Pitch(logs(110.0, 200.0, 60.0), torch.tensor([[2.0, -1.0, 0.5]]))
    loss = pitch.loss(torch.tensor([[100.0, 220.0, 0.0]]))
    voicing = (minus_log_p(2, True) + minus_log_p(-1, True) + minus_log_p(0.5, False)) / 3
    # What is said of the unvoiced frame does not count: the mean is over the voiced ones.
    off = math.log(1.1) / LOG_F0_SCALE
    assert float(loss) == pytest.approx(voicing + off, rel=1e-5)


def test_loss_of_pitch_without_any_voice():
    log_f0 = logs(110.0, 60.0).requires_grad_()
    voicing = torch.tensor([[2.0, -1.0]], requires_grad=True)
    loss = Pitch(log_f0, voicing).loss(torch.zeros(1, 2))
    wanted = (minus_log_p(2, False) + minus_log_p(-1, False)) / 2
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-5)
    loss.backward()
    assert not bool(log_f0.grad.any()) and bool(voicing.grad.isfinite().all())
    assert voicing.grad[0, 0] > 0 and voicing.grad[0, 1] > 0


def test_loss_of_pitch_pulls_f0_towards_the_truth():
    log_f0 = logs(110.0, 90.0).requires_grad_()
    Pitch(log_f0, torch.zeros(1, 2)).loss(torch.full((1, 2), 100.0)).backward()
    assert log_f0.grad[0].sign().tolist() == [1, -1]
