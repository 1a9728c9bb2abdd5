"""`bash recipes/base/run.sh` on a few synthetic recordings: whole, again, stopped, refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import tiny_whisper
from tiny_runs import PITCH, RATE, voice
from tiny_tomls import MODEL, PRIOR, with_stages

from vqspeech.checkpoint.about import read_about

REPOSITORY = Path(__file__).resolve().parents[2]
RUN = REPOSITORY / "recipes" / "base" / "run.sh"
TAUGHT = """
[speaker_encoder]
channels = 8
dilations = [1]
reference_seconds = 0.3
[training]
perceptual_weight = 0.5
perceptual_layers = 2
"""


def run(*arguments, status=0, script=RUN):
    """What the recipe says."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"VQSPEECH_ENVIRONMENT": "ready", "PATH": path}
    environment |= {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = ["bash", str(script), *map(str, arguments)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture
def speech(tmp_path):
    """Folder of recordings with a manifest of all its splits."""
    root = tmp_path / "speech"
    lines = ["split\tspeaker\tfile"]
    for speaker, pitch in PITCH.items():
        (root / speaker).mkdir(parents=True)
        for i in range(5):
            soundfile.write(root / speaker / f"{i}.wav", voice(pitch, 1.2, i), RATE)
            split = {3: "eval-seen", 4: "eval-unseen"}.get(i, "train")
            lines.append(f"{split}\t{speaker}\t{speaker}/{i}.wav")
    (root / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_rate_is_measured(speech, levelled_model, tmp_path):
    measured = ["--speech", speech, "--model", levelled_model, "--metrics", "mel", "--limit", 1]
    measured += ["--seeds", 1, "--methods", "original,preview"]
    script = RUN.with_name("evaluate.sh")
    run(*measured, "--out", tmp_path / "all", script=script)
    for split in ("eval-seen", "eval-unseen"):
        for folder, rate in ((split, 100), (f"{split}-200", 200), (f"{split}-400", 400)):
            report = json.loads((tmp_path / "all" / folder / "report.json").read_text())
            assert report["codes"]["bits_per_second"] == pytest.approx(rate, rel=0.02)
    run(*measured, "--out", tmp_path / "one", "--bitrate", 300, script=script)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "eval-seen",
        "eval-unseen",
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_run_from_nothing_stopped_and_gone_on_with(speech, tmp_path):
    config, exp = tmp_path / "tiny.toml", tmp_path / "exp"
    config.write_text(
        with_stages(MODEL + TAUGHT + PRIOR, codes=600, waveform=6)
    )  # more than 0.6 s of codes
    package, teacher = tmp_path / "package", tiny_whisper.folder_of(tmp_path / "teacher")
    options = ["--speech", speech, "--exp", exp, "--config", config, "--package", package]
    options += ["--splits", "train", "--min-minutes", "0.01", "--device", "cpu"]
    options += ["--metrics", "mel", "--limit", "1"]
    taught = [*options, "--teacher", teacher]

    said = run(*taught, "--max-minutes", "0.01")
    stages = [
        line.split()[0] for line in said.splitlines() if line.startswith("  ") and line.strip()
    ]
    assert stages[:5] == ["stage", "codes", "waveform", "prior", "training:"], said
    assert "training is not done yet (left:" in said and "stage 4" not in said
    assert not package.exists()
    assert "and none is given" in run(*options, status=2)
    other = tiny_whisper.folder_of(tmp_path / "other", seed=1)
    assert "other is another" in run(*options, "--teacher", other, status=2)

    said = run(*taught)
    assert "stage 5: pack" in said and (exp / "report" / "eval-unseen" / "report.md").is_file()
    about = read_about(package)
    assert about.trained == {"codes": 600, "waveform": 6} and about.teacher.name == "teacher"
    assert [speaker.name for speaker in about.speakers] == list(PITCH)
    assert (package / "prior.safetensors").is_file()

    kept = [*(exp / "run").glob("*.safetensors"), *(exp / "report").rglob("*"), *package.iterdir()]
    stamps = {path: path.stat().st_mtime_ns for path in kept}
    said = run(*taught)
    assert "training: nothing to do" in said and said.count("nothing to do") >= 5
    assert stamps == {path: path.stat().st_mtime_ns for path in kept}


def test_bad_options(tmp_path):
    cases = {
        "unknown option --init": ["--init", "shipped"],
        "--teacher needs a value": ["--teacher"],
        "are numbers from 1 to 5": ["--stage", "6"],
        "--speech DIR is needed": ["--teacher", "x"],
        "no such folder": ["--speech", tmp_path / "none", "--exp", tmp_path / "exp"],
        "run/model/config.json is missing: run stage 2 first": ["--stage", 5, "--exp", tmp_path],
        "packed/index.json is missing: run stage 1 first": [
            *("--stage", 2, "--stop-stage", 2, "--exp", tmp_path, "--speech", tmp_path)
        ],
    }
    for words, arguments in cases.items():
        said = run(*arguments, status=2)
        assert words in said.splitlines()[-1], said
    assert "--teacher" in run("--help")
