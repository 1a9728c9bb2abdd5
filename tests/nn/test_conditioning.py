import pytest
import torch

from vqspeech.nn.conditioning import Conditioning

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


@pytest.mark.parametrize("frames", [1, 4])
def test_log_mel_has_a_row_every_ten_milliseconds(narrow, frames):
    net = conditioning_of(narrow)
    if not narrow.conditioning.auxiliary:
        assert net.head is None
        return
    per_code = narrow.hop // 160
    hidden = torch.randn(2, 8, frames)
    mel = net.log_mel(hidden)
    assert mel.shape == (2, 16, frames * per_code)
    # The rows of a code depend on that code alone, and are its own.
    last = net.log_mel(hidden[..., -1:])
    torch.testing.assert_close(mel[..., -per_code:], last)
