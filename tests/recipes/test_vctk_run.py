"""`bash recipes/vctk/run.sh` on a miniature corpus: whole, again, killed, refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_tomls import MODEL, PRIOR, with_stages

REPOSITORY = Path(__file__).resolve().parents[2]
RUN = REPOSITORY / "recipes" / "vctk" / "run.sh"
CONFIG = with_stages(MODEL + PRIOR, codes=12, waveform=6)


def start(*arguments):
    """The recipe as a process group of its own, in the environment of the tests."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"VQSPEECH_ENVIRONMENT": "ready", "PATH": path}
    environment |= {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        ["bash", str(RUN), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def run(*arguments, status=0):
    """What the recipe says."""
    process = start(*arguments)
    said = process.communicate()[0]
    assert process.returncode == status, said
    return said


def options(data, exp, config):
    text = "--nproc 2 --device cpu --min_minutes 0.02 --metrics mel --limit 2"
    return ("--data", data, "--exp", exp, "--config", config, *text.split())


def content(path):
    """A file's bytes; of safetensors without the order of its header, which is any."""
    data = path.read_bytes()
    if path.suffix != ".safetensors":
        return data
    size = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:size]), data[size:]


def contents(exp):
    """Everything that does not say when or how fast it was made."""
    kept = ["manifests/*", "packed/*", "run/model/*", "samples/*", "corpus.md"]
    kept += [
        f"publish/{name}" for name in ("model.safetensors", "prior.safetensors", "config.json")
    ]
    return {
        path.relative_to(exp).as_posix(): content(path)
        for pattern in kept
        for path in sorted(exp.glob(pattern))
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whole_recipe_then_again_then_killed_in_each_stage(miniature, tmp_path):
    data, release = miniature
    config, exp = tmp_path / "tiny.toml", tmp_path / "exp"
    config.write_text(CONFIG)
    began = time.monotonic()
    said = run(*options(data, exp, config))
    whole = time.monotonic() - began
    assert f"VCTK {release}" in said and "stage 6: pack" in said
    made = contents(exp)
    packed = {"publish/model.safetensors", "publish/prior.safetensors", "publish/config.json"}
    assert packed | {"packed/index.json"} <= set(made)
    waves = sorted((exp / "samples").glob("*-as-*.wav"))
    assert len(waves) > 6
    for wave in waves:
        samples, rate = soundfile.read(wave)
        assert rate == 16_000 and np.abs(samples).max() > 0.001
    assert "| log-mel distance" in (exp / "publish" / "README.md").read_text()

    # A second call does nothing and says so.
    stamps = {path: path.stat().st_mtime_ns for path in exp.rglob("*") if path.is_file()}
    again = run(*options(data, exp, config))
    for stage in range(7):
        part = again.split(f"stage {stage}:")[1].split("\nstage ")[0]
        assert "nothing to do" in part, part
    now = {path: path.stat().st_mtime_ns for path in exp.rglob("*") if path.is_file()}
    changed = {path.relative_to(exp).as_posix() for path in now if now[path] != stamps.get(path)}
    assert changed <= {"corpus.md", "run/config.json"}
    assert contents(exp) == made

    # Killed in each stage, wherever it happens to be, and called again: the same files.
    other = tmp_path / "killed"
    for stage in range(7):
        process = start(*options(data, other, config), "--stage", stage, "--stop_stage", stage)
        time.sleep(min(4.0, whole / 12))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        run(*options(data, other, config), "--stage", stage, "--stop_stage", stage)
    assert contents(other) == made


def test_bad_options(tmp_path):
    cases = {
        "unknown option --nonsense": ["--nonsense"],
        "--data needs a value": ["--data"],
        "are numbers from -1 to 6": ["--stage", "7"],
        "--nproc is a whole number above 0": ["--nproc", "many"],
        "is missing: run stage 0 first": ["--stage", "1", "--exp", tmp_path / "exp"],
        "no such folder": ["--data", tmp_path / "none", "--exp", tmp_path / "exp"],
    }
    for words, arguments in cases.items():
        said = run(*arguments, status=2)
        assert words in said.splitlines()[-1], said
    assert "--subset" in run("--help")
