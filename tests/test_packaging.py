"""The wheel has what the package needs beside its code."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDED = (
    "vqspeech/py.typed",
    "vqspeech/config/presets/base.toml",
    "vqspeech/config/presets/paper.toml",
    "vqspeech/models/base/config.json",
    "vqspeech/models/base/model.safetensors",
    "vqspeech/models/base/prior.safetensors",
    "vqspeech/demo/sounds/woman.flac",
)


def test_wheel_has_the_model_the_presets_and_the_sounds(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    built = subprocess.run(
        [*command, "--directory", tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not set(NEEDED) - set(names)
    assert not [name for name in names if name.startswith(("tests/", "recipes/", "docs/"))]
