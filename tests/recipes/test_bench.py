"""recipes/bench: every way of sampling that it times still samples."""

import importlib.util
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("preset", ["base", "base/ablations/wavenet/periodic.toml"])
def test_every_way_of_sampling_runs(preset):
    about = importlib.util.spec_from_file_location("bench", RECIPES / "bench" / "sampling.py")
    script = importlib.util.module_from_spec(about)
    about.loader.exec_module(script)
    script.PLAIN_STEPS, script.NAIVE_STEPS = 2, 1
    path = RECIPES / preset
    subject = script.Subject(str(path) if path.suffix else preset, seconds=0.04)
    for weights in subject.backends:
        assert subject.kernels(weights, streams=2, threads=1) > 0
    assert subject.plain() > 0 and subject.naive() > 0
