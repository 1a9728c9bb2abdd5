"""recipes/paper/phonemes.sh: configurations learn codes, and are asked about the same phonemes."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import soundfile
from tiny_runs import PITCH, RATE, voice

from vqspeech.config.reading import load_preset
from vqspeech.data.corpus import find_utterances
from vqspeech.data.pack import pack

PAPER = Path(__file__).resolve().parents[2] / "recipes" / "paper"
LAB = "0 0.2 sil\n0.2 1.0 AH0\n1.0 2.0 B\n"
TINY = """
name = "{name}"
hop = 320
[encoder]
channels = 8
mels = 16
fine_dilations = []
coarse_dilations = [1]
[quantizer]
codebook_size = {codes}
dim = 4
[conditioning]
channels = 8
dilations = []
speaker_dim = 4
[[training.stages]]
name = "codes"
steps = 50
batch = 2
crop_seconds = 0.16
decoder_seconds = 0.16
"""


@pytest.fixture
def speech(tmp_path):
    """Recordings with transcripts that nobody has to align: their alignments are there already."""
    rows = ["split\tspeaker\tfile\ttranscript"]
    for speaker, pitch in PITCH.items():
        (tmp_path / "speech" / speaker).mkdir(parents=True)
        (tmp_path / "out" / "alignments" / speaker).mkdir(parents=True)
        for i in range(2):
            name = f"{speaker}/{i}"
            soundfile.write(tmp_path / "speech" / f"{name}.wav", voice(pitch, 2.0, i), RATE)
            (tmp_path / "out" / "alignments" / f"{name}.lab").write_text(LAB)
            rows.append(f"train\t{speaker}\t{name}.wav\tUH BUH")
    (tmp_path / "speech" / "manifest.tsv").write_text("\n".join(rows) + "\n")
    pack(find_utterances(tmp_path / "speech"), tmp_path / "packed", 1, 0.0, 0, progress=False)
    return tmp_path / "speech"


def run(*arguments, status=0):
    command = ["bash", str(PAPER / "phonemes.sh"), *map(str, arguments)]
    environment = os.environ | {"VQSPEECH_ENVIRONMENT": "ready"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def test_one_table_of_what_learned_alike(speech, tmp_path):
    (tmp_path / "few.toml").write_text(TINY.format(name="few", codes=2))
    arguments = [speech, tmp_path / "packed", tmp_path / "out", "--steps", 3, "--device", "cpu"]
    said = run(*arguments, tmp_path / "few.toml")
    head, rule, *rows = [line.strip("| ").split(" | ") for line in said.splitlines()]
    assert head[:3] == ["accuracy, %", "all frames", "without silence"] and len(rule[0]) > 3
    [[name, *cells]] = rows
    kept = tmp_path / "out" / "few" / "phonemes.json"
    report = json.loads(kept.read_text())
    assert report["about"]["utterances"] == 4 and report["about"]["trained"]["codes"] == 3
    spaces = [("codes", "all"), ("codes", "speech"), ("untrained", "all")]
    wanted = [f"{100 * report['accuracy'][kind][space]['mean']:.1f}" for space, kind in spaces]
    assert name == "few" and cells[:3] == wanted

    before = kept.stat().st_mtime_ns
    again = run(*arguments, tmp_path / "few.toml", tmp_path / "few.toml").splitlines()
    assert again == [*said.splitlines(), said.splitlines()[-1]]
    assert kept.stat().st_mtime_ns == before, "measured again"


def test_what_the_script_refuses(speech, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "manifest.tsv").write_text("speaker\tfile\n")
    packed, out = tmp_path / "packed", tmp_path / "new"
    cases = {
        "SPEECH, PACKED and OUT are needed": [speech, packed],
        "unknown option --nonsense": ["--nonsense"],
        "--steps needs a value": [speech, packed, out, "--steps"],
        "index.json is missing: run stage 1": [speech, tmp_path, out],
        "has no column transcript": [tmp_path / "bare", packed, out],
        "nothing.toml: cannot be read": [speech, packed, out, "nothing.toml"],
    }
    for words, arguments in cases.items():
        assert words in run(*arguments, status=2)
    assert "--steps" in run("--help")


def test_the_committed_files_are_the_preset_but_for_what_their_names_say():
    found = {path.stem: load_preset(path) for path in (PAPER / "phonemes").glob("*.toml")}
    assert len(found) == 8 and all(config.name == name for name, config in found.items())
    plain, unchanged = load_preset("phonemes").to_dict(), found.pop("unchanged").to_dict()
    assert unchanged == plain | {"name": "unchanged"}
    parts = {
        "degraded": {"encoder", "training"},
        "more-context": {"encoder", "conditioning"},
        "cepstra": {"training"},
        "no-jitter": {"quantizer"},
        "wide": {"encoder"},
        "film": {"conditioning"},
        "together": {"encoder", "training"},
    }
    for name, config in found.items():
        changed = {key for key, value in config.to_dict().items() if value != plain[key]}
        assert changed - {"name"} == parts[name], name
