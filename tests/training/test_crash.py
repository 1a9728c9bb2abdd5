"""Training that is killed, and disks that are full: the last checkpoint stands, nothing is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import Runs, assert_repeats, differences

from vqspeech.checkpoint.model import load_checkpoint, recover
from vqspeech.training.state import load_position

KILLED = Path(__file__).with_name("killed_runs.py")


def attempts(*arguments):
    command = [sys.executable, str(KILLED), *map(str, arguments)]
    path = os.pathsep.join([str(KILLED.parent), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)


@pytest.mark.parametrize(
    "points", [[8, 5], pytest.param([*range(1, 12), 30], marks=pytest.mark.slow)]
)
def test_run_killed_at_any_operation_ends_like_an_uninterrupted_one(
    corpus, whole_run, tmp_path, points
):
    """Ahead of each step, in each file of weights, between any two renames."""
    out = tmp_path / "run"
    done = attempts("kill", corpus, out, ",".join(map(str, points)))
    assert done.stdout.split() == [str(int(signal.SIGKILL))] * len(points), done.stderr
    assert_repeats(out, whole_run)
    left = [path.name for path in out.iterdir() if path.name.startswith(".")]
    assert left == [], "leftovers of killed runs"


def test_full_disk_leaves_the_last_checkpoint(corpus, runs, config):
    runs.stop_after(3)
    out = runs.train(config)
    before, model = (out / "state.safetensors").read_bytes(), Runs.weights(out)
    done = attempts("full", corpus, out)
    assert "cannot write a checkpoint" in done.stdout, done.stdout + done.stderr
    assert "the last one is intact" in done.stdout and "Traceback" not in done.stderr
    assert (out / "state.safetensors").read_bytes() == before
    assert not differences(Runs.weights(out), model)
    assert load_position(out).step == 3
    runs.go_on()
    runs.train(config, resume=True)
    assert load_position(out).stage == "joint"


@pytest.mark.parametrize("killed", ["before", "between", "after"])
def test_model_replaced_half_way(whole_run, tmp_path, killed):
    """The three moments around the two renames of `save_checkpoint`."""
    model, old = tmp_path / "model", tmp_path / ".model.old"
    half = tmp_path / ".model.0123.partial"
    for folder in {"before": [model, half], "between": [old, half], "after": [model, old]}[killed]:
        folder.mkdir()
        for file in (whole_run / "model").iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    recover(model)
    assert os.listdir(tmp_path) == ["model"]
    load_checkpoint(model)
