import dataclasses

import torch

from vqspeech.nn.conditioning import Conditioning

DIM = 6


def conditioning_of(config):
    return Conditioning(config.conditioning, DIM, config.encoder.mels, config.hop).eval()


def test_receptive_field_is_exactly_context_frames(narrow):
    net = conditioning_of(narrow)
    frame, frames = net.context_frames + 2, 2 * net.context_frames + 5
    z = torch.randn(1, DIM, frames).requires_grad_()
    net(z, torch.randn(1, 4))[..., frame].sum().backward()
    seen = z.grad[0].any(0).nonzero()[:, 0]
    context = net.context_frames
    assert (int(seen[0]), int(seen[-1])) == (frame - context, frame + context)


@torch.no_grad()
def test_batch_is_its_items_alone(narrow):
    net = conditioning_of(narrow)
    z, speaker = torch.randn(3, DIM, 12), torch.randn(3, 4)
    together = net(z, speaker)
    for row in range(3):
        alone = net(z[row : row + 1], speaker[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)


@torch.no_grad()
def test_speaker_shifts_every_frame(narrow):
    net = conditioning_of(narrow)
    z = torch.randn(1, DIM, 5)
    one, other = (net(z, torch.randn(1, 4)) for _ in range(2))
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
    found = scaling(z, speaker)
    torch.testing.assert_close(found, plain(z, speaker))
    found.square().sum().backward()
    first = scaling.blocks[0].film.weight
    assert bool(first.grad.any())
    with torch.no_grad():
        first += 1
    moved = scaling(z, speaker) - found.detach()
    assert bool(moved.any(1).all()), "in every frame"
