import dataclasses
import json
import math
import os

import pytest

from vqspeech.errors import InputError
from vqspeech.evaluation.report.json_form import read_report, to_dict
from vqspeech.evaluation.report.markdown import markdown
from vqspeech.evaluation.report.report import Report
from vqspeech.evaluation.report.save import save


@pytest.fixture
def report(usage):
    machine = {"processor": "abacus", "cores": 2, "system": "Linux"}
    about = {"model": "base", "fingerprint": "00ff", "vqspeech": "0.1.0", "seed": 3}
    about |= {"date": "2030-01-02T03:04:05+00:00", "machine": machine, "utterances": 2}
    about |= {"seconds_of_speech": 12.0, "speakers": 1, "unknown_speaker_utterances": 1}
    about |= {"unknown_speakers_decoded_as": "other", "cut_to_first_minute": 0}
    about |= {"seeds": 1, "temperature": 0.9, "targets": [], "samples_per_step": 4}
    rows = [
        {"scores": {"original": {"estoi": 1.0, "pesq": 4.64}, "preview": {"estoi": 0.5}}},
        {"scores": {"original": {"estoi": 1.0, "pesq": math.nan}, "preview": {"estoi": 0.7}}},
    ]
    nats = {"right": 10.0, "shuffled": 10.25, "difference": 0.25}
    return Report(about, usage, nats, ("original", "preview"), rows, [("x.wav", "x.wav: bad")])


def test_the_table(report):
    text = markdown(report)
    assert "| | original | Griffin-Lim (preview) |" in text
    assert "| ESTOI ↑ | 1.00 ± 0.00 | 0.60 ± 0.14 |" in text
    assert "| PESQ-WB ↑ | 4.64 (1) | - |" in text
    assert "log-mel" not in text  # no figure, no line
    for fact in ("480 of 512", "32 dead", "perplexity 301", "450 bit/s", "00ff", "x.wav: bad"):
        assert fact in text
    for fact in (
        "2.500 nats a sample of 16 bits",
        "2.562 with shuffled",
        "(+0.250)",
        "temperature 0.9",
    ):
        assert fact in text
    assert "decoded as `other`" in text


def test_wavenet_against_preview_is_utterance_by_utterance(report):
    assert report.gains() == {} and "against Griffin-Lim" not in markdown(report)
    preview, nan = {"words_right": 40.0, "words": 10}, math.nan
    values = [(0.5, 0.55, 60.0, 10), (0.7, 0.71, 30.0, 30), (nan, 0.1, nan, 0), (0.2, nan, nan, 0)]
    rows = [
        {
            "scores": {
                "preview": preview | {"estoi": before, "words": words},
                "wavenet": {"estoi": after, "words_right": right, "words": words},
            }
        }
        for before, after, right, words in values
    ]
    report = dataclasses.replace(report, methods=("preview", "wavenet"), rows=rows)
    gains = report.gains()["wavenet"]
    assert gains["estoi"].mean == pytest.approx(0.03) and gains["estoi"].count == 2
    assert gains["words_right"].mean == pytest.approx((20 * 10 - 10 * 30) / 40)
    text = markdown(report)
    assert "## The WaveNet against Griffin-Lim from the same codes" in text
    assert "| ESTOI ↑ | +0.030 ± " in text and "(2) |" in text
    assert "| words right, % of the transcript ↑ | -2.50 ± " in text
    assert set(to_dict(report)["less_preview"]["wavenet"]) == {"estoi", "words_right"}


def test_what_is_written_is_what_was_said(report, tmp_path):
    paths = save(report, tmp_path / "a" / "b")
    assert [path.name for path in paths] == ["report.md", "report.json", "report.html"]
    assert paths[0].read_text() == markdown(report)
    content = json.loads(paths[1].read_text(), parse_constant=pytest.fail)
    assert content["about"]["fingerprint"] == "00ff"
    assert content["averages"]["preview"]["estoi"] == pytest.approx(
        {"mean": 0.6, "margin": 0.139, "count": 2}, abs=0.01
    )
    assert content["utterances"][1]["scores"]["original"]["pesq"] is None
    assert content["skipped"] == [{"file": "x.wav", "reason": "x.wav: bad"}]
    assert content["nats_per_sample"] == {"right": 2.5, "shuffled": 2.5625, "difference": 0.0625}
    assert sorted(os.listdir(tmp_path / "a" / "b")) == ["report.html", "report.json", "report.md"]


def test_what_was_written_can_be_read(report, tmp_path):
    seeds = {"preview": [{"estoi": 0.4}, {"estoi": math.nan}]}
    report = dataclasses.replace(report, rows=[row | {"by_seed": seeds} for row in report.rows])
    back = read_report(save(report, tmp_path)[1])
    assert markdown(back) == markdown(report) and to_dict(back) == to_dict(report)
    assert "Spread over seeds" in markdown(back)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"utterances": 3}', '{"utterances": [{"scores": {}}]}', "\x00"]
)
def test_what_is_no_report(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"report\.json: is no report.*evaluate again"):
        read_report(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_report(tmp_path / "none.json")


def test_a_folder_that_cannot_be_made(report, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="file.*cannot be made"):
            save(report, folder)


def test_a_report_that_cannot_be_written(report, tmp_path):
    (tmp_path / "report.md").mkdir()
    with pytest.raises(InputError, match=r"report\.md"):
        save(report, tmp_path)
    assert os.listdir(tmp_path) == ["report.md"]
