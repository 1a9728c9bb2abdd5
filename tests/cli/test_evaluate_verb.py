import json
import sys

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
