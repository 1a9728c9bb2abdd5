import json
import sys

import pytest
import soundfile
from synthetic_voice import RATE, sung

from vqspeech.evaluation.metrics.table import GROUPS


def test_a_folder_is_measured(cli, tiny_model, make_audio, tmp_path):
    for name in ("anna/1.wav", "anna/2.wav", "zoe/1.wav"):
        make_audio(f"corpus/{name}", 0.4)
    options = ["--model", tiny_model, "--metrics", "mel", "--jobs", 0, "--out", tmp_path / "out"]
    options += ["--seeds", 2, "--temperature", 0.8]
    result = cli("evaluate", "--data", tmp_path / "corpus", "--limit", 2, *options)
    assert result.status == 0, result.err
    assert "| log-mel distance, dB ↓ |" in result.out
    assert result.out == (tmp_path / "out" / "report.md").read_text()
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert list(content["averages"])[:3] == ["original", "preview", "wavenet"]
    assert "convert-wavenet was left out" in result.out  # by this metric nobody measures it
    spread = content["spread_over_seeds"]["wavenet"]["mel_distance"]
    assert 0 < spread["high"] - spread["low"] < 10
    assert content["about"]["temperature"] == 0.8
    assert content["bits_per_second"]["packed"]["coded"] >= 100  # 2 bits a code
    assert (tmp_path / "out" / "report.html").read_text().count("<audio") >= 6
    assert [row["identity"] for row in content["utterances"]] == ["anna", "anna"]
    assert content["averages"]["wavenet"]["mel_distance"]["count"] == 2
    assert set(content["nats_per_step"]) == {"right", "shuffled", "difference"}


def test_a_manifest_beside_the_corpus_is_found(cli, tiny_model, make_audio, tmp_path):
    make_audio("corpus/1.wav", 0.4)
    (tmp_path / "corpus" / "m.tsv").write_text(
        "split\tspeaker\tfile\ttranscript\ntest\tbert\t1.wav\tYES\n"
    )
    options = ["--model", tiny_model, "--metrics", "mel", "--methods", "preview", "--jobs", 0]
    options += ["--manifest", "m.tsv", "--splits", "test"]
    result = cli("evaluate", "--data", tmp_path / "corpus", *options)
    assert result.status == 0, result.err
    assert "1 utterances" in result.out


def test_without_whisper_pocketsphinx_hears_and_that_is_said_once(
    cli, tiny_model, make_audio, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    make_audio("corpus/anna/1.wav", 0.4)
    options = ["--model", tiny_model, "--metrics", "words", "--methods", "preview", "--jobs", 0]
    options += ["--recogniser", "whisper,pocketsphinx", "--whisper", tmp_path / "none"]
    result = cli("evaluate", "--data", tmp_path / "corpus", *options)
    assert result.status == 0, result.err
    assert sum("faster-whisper is not installed" in line for line in result.err) == 1
    assert "Whisper" not in result.out


def sing(path, seconds, f0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sung(seconds, f0, f0, pauses=False)[0], RATE)


@pytest.fixture
def strangers(tmp_path):
    """Recordings of anna, whom the models know, and of two whom they do not."""
    for name, seconds, f0 in (("anna/1", 1, 200), ("yves/1", 1.2, 110), ("zoe/1", 1.2, 220)):
        sing(tmp_path / "corpus" / f"{name}.wav", seconds, f0)
    return tmp_path / "corpus"


def test_unknown_speakers_keep_their_voices_and_lend_them(cli, hearing_model, strangers, tmp_path):
    options = ["--data", strangers, "--model", hearing_model, "--metrics", "f0", "--jobs", 0]
    options += ["--methods", "preview,wavenet,convert-preview,convert-unseen-preview"]
    options += ["--out", tmp_path / "out"]
    result = cli("evaluate", *options)
    assert result.status == 0, result.err
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    rows = content["utterances"]
    assert [row["identity"] for row in rows] == ["anna", "own voice", "own voice"]
    assert [row["converted_to"] for row in rows] == [None, "anna", "anna"]
    assert [row["converted_to_unseen"] for row in rows] == ["yves", "zoe", "yves"]
    assert content["about"]["unseen_targets"] == ["yves", "zoe"]
    assert "convert-unseen-preview" in content["averages"]
    assert "decoded in their own voices" in result.out
    options += ["--methods", "preview,convert-unseen-preview", "--force"]
    other = cli("evaluate", *options, "--speaker", "other", "--unseen-targets", 0)
    assert other.status == 0, other.err
    assert "decoded as `other`" in other.out
    assert "convert-unseen-preview was left out: there is no recording" in other.out


def test_without_a_speaker_encoder_unseen_voices_are_refused(refused, cli, tiny_model, strangers):
    start = ["evaluate", "--data", strangers, "--model", tiny_model, "--metrics", "f0", "--jobs", 0]
    words = "has no speaker encoder to hear unseen voices with: leave out"
    refused([*start, "--unseen-targets", 2], words, "--unseen-targets")
    refused([*start, "--methods", "convert-unseen-wavenet"], words, "convert-unseen-wavenet")
    refused([*start, "--unseen-targets", -1], "--unseen-targets")
    result = cli(*start, "--methods", "preview", "--unseen-targets", 0)
    assert result.status == 0, result.err
    assert "decoded as `other`" in result.out and "unseen" not in result.out


def test_bad_options_are_refused(refused, tiny_model, make_audio, tmp_path):
    make_audio("corpus/anna/1.wav", 0.4)
    start = ["evaluate", "--data", tmp_path / "corpus", "--model", tiny_model, "--jobs", 0]
    refused([*start, "--methods", "nothing"], "no method 'nothing'")
    refused([*start, "--metrics", "nothing"], "no metric 'nothing'", *GROUPS)
    refused([*start, "--metrics", "mel", "--speaker", "ann"], "anna")
    refused([*start, "--splits", "test"], "manifest")
    refused([*start, "--recogniser", "sphinx"], "no recogniser 'sphinx'", "pocketsphinx, whisper")
    refused([*start, "--whisper", tmp_path], str(tmp_path), "model.bin")
    refused([*start, "--recogniser", "pocketsphinx", "--whisper", tmp_path], "--recogniser whisper")
    refused([*start, "--seeds", "0"], "--seeds", "1..64")
    refused([*start, "--temperature", "3"], "--temperature", "0..2")
    refused([*start, "--metrics", "f0", "--targets", "zoe"], "no target 'zoe'")
    refused([*start, "--metrics", "f0", "--targets", "bert"], "'bert' has no readable recording")
    refused(["evaluate", "--data", tmp_path / "nowhere"], "nowhere")
