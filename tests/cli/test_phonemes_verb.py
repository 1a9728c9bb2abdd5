import json
import shutil
import subprocess
import sys

import pytest

from vqspeech.cli.main import main

LAB = "0 0.2 sil\n0.2 1.0 AH0\n1.0 2.0 B\n"


@pytest.fixture
def corpus(make_audio, tmp_path):
    """Four recordings of 2 s, a folder of alignments to three of them."""
    for number, name in enumerate(["anna/1", "anna/2", "bert/1", "bert/2"]):
        make_audio(f"corpus/{name}.wav", 2.0, seed=number)
        lab = tmp_path / "lab" / f"{name}.lab"
        lab.parent.mkdir(parents=True, exist_ok=True)
        if name != "bert/2":
            lab.write_text(LAB)
    return tmp_path / "corpus"


@pytest.fixture
def start(corpus, tiny_model):
    return ["phonemes", "--data", corpus, "--model", tiny_model]


def test_a_folder_with_alignments(cli, start, tmp_path):
    out = tmp_path / "out" / "report"
    result = cli(*start, "--alignments", tmp_path / "lab", "--out", out)
    assert result.status == 0, result.err
    assert result.out == (out / "phonemes.md").read_text()
    assert (
        "3 utterances, 2 speakers; 300 frames at 50 a second, 270 of them of speech" in result.out
    )
    assert f"2 phonemes and silence, from alignments in {tmp_path / 'lab'}" in result.out
    assert "Left out: 1 recordings (no <speaker>/<utterance>.TextGrid" in result.out
    content = json.loads((out / "phonemes.json").read_text())
    scores = content["accuracy"]["all"]
    assert list(scores) == ["codes", "untrained", "shuffled", "majority"]
    assert scores["majority"] == {"mean": 0.5, "forth": 0.5, "back": 0.5}
    assert content["accuracy"]["speech"]["majority"]["mean"] == pytest.approx(5 / 9)
    assert sorted(path.name for path in out.iterdir()) == ["phonemes.json", "phonemes.md"]
    again = cli(*start, "--alignments", tmp_path / "lab", "--limit", 2)
    assert "2 utterances, 2 speakers" in again.out


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_transcripts_are_aligned(cli, start, corpus, tmp_path):
    words = {"anna/1": "SHE HAD YOUR DARK SUIT", "anna/2": "IN WASH WATER", "bert/1": "XYZZYQ"}
    rows = [f"{name[:4]}\t{name}.wav\t{said}\n" for name, said in words.items()]
    (corpus / "m.tsv").write_text("speaker\tfile\ttranscript\n" + "".join(rows))
    for name, said in words.items():
        subprocess.run(["espeak-ng", "-w", corpus / f"{name}.wav", said.lower()], check=True)
    result = cli(*start, "--manifest", "m.tsv", "--out", tmp_path / "out")
    assert result.status == 0, result.err
    assert "2 utterances, 1 speakers" in result.out
    assert "Left out: 1 recordings (a word that the dictionary lacks)." in result.out
    kept = tmp_path / "out" / "alignments" / "anna" / "anna"
    assert sorted(path.name for path in kept.iterdir()) == ["1.lab", "2.lab"]


def test_bad_input_is_one_line(refused, start, corpus, tmp_path):
    lab = tmp_path / "lab"
    refused(start, "no transcripts", "--alignments")
    (tmp_path / "m.tsv").write_text("speaker\tfile\nanna\tcorpus/anna/1.wav\n")
    refused([*start, "--manifest", tmp_path / "m.tsv"], "m.tsv", "no transcripts")
    refused([*start, "--alignments", tmp_path / "nowhere"], "nowhere", "no such folder")
    refused([*start, "--alignments", tmp_path / "corpus"], "none of 4 recordings", "TextGrid")
    refused([*start, "--alignments", lab, "--limit", 1], "too few")
    (lab / "anna" / "2.TextGrid").write_text(LAB)
    refused([*start, "--alignments", lab], lab / "anna" / "2.TextGrid", "quotes")
    (lab / "file").write_text("")
    refused([*start, "--alignments", lab, "--out", lab / "file"], lab / "file")


def test_an_unreadable_recording_is_left_out(cli, start, corpus, tmp_path):
    (corpus / "anna" / "1.wav").write_bytes(b"RIFF")
    result = cli(*start, "--alignments", tmp_path / "lab")
    assert result.status == 0, result.err
    assert "Left out: 1 recordings (the recording cannot be read)." in result.out


def test_without_pocketsphinx(refused, start, corpus, monkeypatch):
    (corpus / "m.tsv").write_text("speaker\tfile\ttranscript\nanna\tanna/1.wav\tOH\n")
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    refused([*start, "--manifest", "m.tsv"], "vqspeech[eval]")


def test_it_has_help(capsys):
    assert main(["phonemes", "--help"]) == 0
    assert "--alignments" in capsys.readouterr().out
