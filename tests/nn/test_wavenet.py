"""The gated stack: causal, with the receptive field it states, and what Conv1d layers compute."""

import pytest
import torch
import torch.nn.functional as F

from vqspeech.nn.wavenet import GatedStack

WIDTH, SKIP = 6, 5


def stack_of(dilations):
    return GatedStack(WIDTH, SKIP, dilations)


def conditioning_of(batch, frames, dilations):
    return torch.randn(batch, frames, len(dilations), 2 * WIDTH)


def by_conv1d(stack, x, conditioning):
    """The same network over [B, C, T], layer by layer, with Conv1d."""
    steps = x.shape[1]
    hold = steps // conditioning.shape[1]
    x = x.transpose(1, 2)
    total = stack.skip.bias[:, None]
    for layer, dilation in enumerate(stack.dilations):
        taps = stack.gates[layer].weight.view(2 * WIDTH, 2, WIDTH).transpose(1, 2).contiguous()
        h = F.conv1d(F.pad(x, (dilation, 0)), taps, dilation=dilation)
        h = h + conditioning[:, :, layer].repeat_interleave(hold, 1).transpose(1, 2)
        z = torch.tanh(h[:, :WIDTH]) * torch.sigmoid(h[:, WIDTH:])
        skip = stack.skip.weight[:, layer * WIDTH : (layer + 1) * WIDTH]
        total = total + F.conv1d(z, skip[..., None].contiguous())
        if layer < len(stack.residual):
            mix = stack.residual[layer]
            x = x + F.conv1d(z, mix.weight[..., None], mix.bias)
    return F.relu(total).transpose(1, 2)


@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4), (1, 2, 4, 8, 1, 2, 4, 8), (64, 1)])
@pytest.mark.parametrize(("frames", "hold"), [(1, 1), (1, 30), (7, 1), (3, 10)])
@torch.no_grad()
def test_equals_conv1d(dilations, frames, hold):
    stack = stack_of(dilations)
    x = torch.randn(2, frames * hold, WIDTH)
    conditioning = conditioning_of(2, frames, dilations)
    torch.testing.assert_close(
        stack(x, conditioning), by_conv1d(stack, x, conditioning), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4), (1, 2, 1, 2)])
def test_causal_with_exactly_its_receptive_field(dilations):
    stack = stack_of(dilations)
    torch.nn.init.constant_(stack.skip.bias, 5.0)  # the last relu open
    step, steps = 20, 30
    x = torch.randn(1, steps, WIDTH, requires_grad=True)
    stack(x, conditioning_of(1, 6, dilations))[:, step].sum().backward()
    seen = x.grad[0].any(1).nonzero()[:, 0]
    assert int(seen[-1]) == step
    assert step - int(seen[0]) + 1 == stack.receptive_field == 1 + sum(dilations)


def test_a_frame_is_held_for_its_own_steps():
    dilations = (1, 2)
    stack = stack_of(dilations)
    torch.nn.init.constant_(stack.skip.bias, 5.0)
    conditioning = conditioning_of(1, 5, dilations).requires_grad_()
    stack(torch.randn(1, 20, WIDTH), conditioning)[:, 11].sum().backward()
    frames = conditioning.grad[0].flatten(1).any(1)
    assert frames.tolist() == [False, False, True, False, False]
    conditioning.grad = None
    stack(torch.randn(1, 20, WIDTH), conditioning)[:, 12].sum().backward()
    assert conditioning.grad[0].flatten(1).any(1).tolist() == [False, False, True, True, False]
    assert bool(conditioning.grad[0, 3].any(1).all()), "a layer has no conditioning"
