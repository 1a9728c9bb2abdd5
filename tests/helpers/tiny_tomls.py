"""Configurations of a small model as TOML, for tests that begin at a command line."""

MODEL = """
name = "small"
hop = 320
[encoder]
channels = 16
mels = 16
fine_dilations = [1]
coarse_dilations = [1]
[quantizer]
codebook_size = 16
dim = 6
[conditioning]
channels = 16
dilations = [1]
speaker_dim = 4
[decoder]
residual_channels = 8
skip_channels = 8
layers = 3
cycle = 3
"""
PRIOR = """
[prior]
residual_channels = 8
skip_channels = 8
layers = 3
cycle = 3
speaker_dim = 4
steps = 8
batch = 2
crop_frames = 8
evaluate_every = 4
"""
STAGE = """
[[training.stages]]
name = "{name}"
steps = {steps}
batch = 2
crop_seconds = 0.16
decoder_seconds = 0.08
"""


def with_stages(model=MODEL, **steps):
    """`model` and stages of so many steps, by their names."""
    return model + "".join(STAGE.format(name=name, steps=count) for name, count in steps.items())
