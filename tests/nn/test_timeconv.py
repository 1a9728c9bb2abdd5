import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.nn.timeconv import TimeConv


@given(
    width=st.integers(1, 5),
    dilation=st.integers(1, 4),
    stride=st.integers(1, 4),
    padding=st.integers(0, 6),
    extra=st.integers(0, 20),
)
@settings(max_examples=100, deadline=None)
def test_equals_conv1d(width, dilation, stride, padding, extra):
    steps = max(1, dilation * (width - 1) + 1 - 2 * padding) + extra
    layer = TimeConv(3, 4, width, dilation=dilation, stride=stride, padding=padding)
    x = torch.randn(2, steps, 3)
    weight = layer.linear.weight.view(4, width, 3).transpose(1, 2)
    # In float64, as oneDNN's float32 convolution crashes on some of these shapes.
    bias, x = layer.linear.bias.double(), x.double()
    out = F.conv1d(x.transpose(1, 2), weight.double(), bias, stride, padding, dilation)
    for learns in (False, True):  # two ways to lay out the taps
        found = layer.double()(x.clone().requires_grad_(learns))
        torch.testing.assert_close(found, out.transpose(1, 2))
