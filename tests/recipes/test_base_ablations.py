"""recipes/base/ablations.py: trained alike, measured once, one table; and the TOMLs that it has."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import tiny_whisper
from tiny_runs import PITCH, RATE, voice
from tiny_tomls import MODEL, with_stages

from vqspeech.cli.main import main as vqspeech
from vqspeech.config.reading import load_preset
from vqspeech.data.corpus import find_utterances
from vqspeech.data.pack import pack
from vqspeech.errors import InputError

HEADINGS = (
    "| | steps | minutes | log-mel | F0 | voicing, % | words (pocketsphinx), % | perplexity | "
)
HEADINGS += "codes | perceptual | states |"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Folders of recordings with a manifest and of what was packed of them."""
    import soundfile

    root = tmp_path_factory.mktemp("speech")
    lines = ["speaker\tfile\ttranscript"]
    for speaker, pitch in PITCH.items():
        (root / speaker).mkdir()
        for i in range(3):
            soundfile.write(root / speaker / f"{i}.wav", voice(pitch, 2.2, i), RATE)
            lines.append(f"{speaker}\t{speaker}/{i}.wav\tYES NO")
    manifest = root / "manifest.tsv"
    manifest.write_text("\n".join(lines) + "\n")
    packed = root.with_name("packed-ablations")
    pack(find_utterances(root, manifest), packed, 1, 0.3, 0, progress=False)
    return packed, manifest


@pytest.fixture
def script(base_script, monkeypatch):
    """The recipe with its processes in this one, and a recogniser that hears one word."""
    made = base_script("ablations")
    codes = sys.modules["codes"]
    calls = []

    def run(command):
        calls.append(command)
        return type("Done", (), {"returncode": vqspeech([*command[3:], "--quiet"])})

    monkeypatch.setattr(made.subprocess, "run", run)
    monkeypatch.setattr(codes, "workers", lambda: ThreadPoolExecutor(1))
    monkeypatch.setattr("vqspeech.evaluation.metrics.words.recognise", lambda x: ["yes"])
    monkeypatch.setattr("vqspeech.training.run.cpu_has_bfloat16", lambda: False)
    made.calls, made.TOMLS = calls, None
    return made


def start(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["ablations.py", *map(str, arguments)])
    script.main()


def toml(folder, name, weights=""):
    path = folder / f"{name}.toml"
    path.write_text(with_stages(f"{MODEL}[training]\n{weights}\n", codes=1000))
    return path


def test_one_table_of_what_was_trained_alike(script, corpus, tmp_path, monkeypatch, capfd):
    packed, manifest = corpus
    tomls = [toml(tmp_path, "plain"), toml(tmp_path, "taught", "perceptual_weight = 0.5")]
    teacher = tiny_whisper.folder_of(tmp_path / "teacher")
    out = tmp_path / "out"
    arguments = [packed, manifest, out, *tomls, "--steps", 2, "--device", "cpu"]
    with pytest.raises(InputError, match=r"taught.toml asks for a teacher: give --teacher"):
        start(script, monkeypatch, *arguments)
    assert not script.calls and not out.exists()
    arguments += ["--teacher", teacher]
    start(script, monkeypatch, *arguments)
    shown = capfd.readouterr().out
    assert shown == (out / "ablations.md").read_text()
    head, _, plain, taught = shown.splitlines()
    assert head == HEADINGS
    assert plain.startswith("| plain | 2 | 0.0 | ") and plain.endswith(" | - | - |")
    assert taught.startswith("| taught | 2 | 0.0 | ") and taught.split(" | ")[-2] != "-"
    assert " | 50.0 of " in plain
    assert ["--teacher" in call for call in script.calls] == [False, True]

    measured = []
    monkeypatch.setattr(script, "on_held_out", lambda *a: measured.append(a) or "x")
    start(script, monkeypatch, *arguments)
    assert capfd.readouterr().out == shown and not measured, "nothing is measured twice"
    row = json.loads((out / "plain" / "row.json").read_text())
    (out / "plain" / "row.json").write_text(json.dumps(row | {"fingerprint": "another"}))
    start(script, monkeypatch, *arguments)
    assert len(measured) == 1 and "| plain | 2 | 0.0 | x | - | - |" in capfd.readouterr().out


def test_minutes_that_are_over_are_not_trained_again(script, corpus, tmp_path, monkeypatch):
    packed, manifest = corpus
    one = toml(tmp_path, "plain")
    arguments = [packed, manifest, tmp_path / "out", one, "--device", "cpu"]
    monkeypatch.setattr(script, "on_held_out", lambda *a: "x")
    start(script, monkeypatch, *arguments, "--minutes", 0.03, "--limit", 1)
    assert "--max-minutes" in script.calls[0]
    spent = script.load_position(tmp_path / "out" / "plain").seconds / 60
    start(script, monkeypatch, *arguments, "--minutes", spent, "--limit", 1)
    assert len(script.calls) == 1


def test_the_committed_files_change_base_as_their_names_say(base_script):
    made = base_script("ablations")
    found = {path.stem: load_preset(path) for path in made.TOMLS.glob("*.toml")}
    base = load_preset("base")
    assert len(found) > 5
    for name, config in found.items():
        assert config.name == name
        assert (config.encoder, config.quantizer) == (base.encoder, base.quantizer)
        assert config.training.stages == base.training.stages
        assert config.training.taught == (name != "no-teacher")
        degrades = config.training.degradation == base.training.degradation
        assert degrades == (name != "no-degradation")
        assert config.conditioning.phoneme_head == (name != "no-phonemes")
        heard = config.speaker_encoder
        assert heard is not None and (heard.share > 0) == (name != "no-speaker-encoder")
    assert replace(found["unchanged"], name="base") == base
    same = [name for name, config in found.items() if replace(config, name="base") == base]
    assert same == ["unchanged"]
    assert found["perceptual-1.0"].training.perceptual_weight == 1.0
    order = [one.toml.stem for one in made.ablations([], made.TOMLS, "teacher")]
    assert order[0] == "unchanged" and order[1:] == sorted(order[1:])
