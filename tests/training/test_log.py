import errno
import json
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vqspeech.training.log import RunLog


@pytest.fixture
def log(tmp_path):
    log = RunLog(tmp_path, quiet=True)
    yield log
    log.close()


def test_a_line_and_a_point_a_figure(tmp_path, log):
    log.scalars("train", "codes", 50, {"mel": 0.123456789, "perplexity": 12.0})
    log.scalars("valid", "codes", 60, {"mel": 0.5})
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line.pop("time") > 0 for line in lines] == [True, True]
    first = {"kind": "train", "stage": "codes", "step": 50, "mel": 0.123457, "perplexity": 12.0}
    assert lines == [first, {"kind": "valid", "stage": "codes", "step": 60, "mel": 0.5}]
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(board.Tags()["scalars"]) == {
        "codes/train/mel",
        "codes/train/perplexity",
        "codes/valid/mel",
    }
    assert board.Scalars("codes/valid/mel")[0].step == 60


def test_lines_are_added_to_those_of_the_run_before(tmp_path, log):
    log.scalars("train", "codes", 1, {})
    again = RunLog(tmp_path, quiet=True)
    again.scalars("train", "codes", 2, {})
    again.close()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_audio_comes_with_its_spectrogram(tmp_path, log):
    wave = 0.1 * np.sin(np.arange(8000) / 5).astype(np.float32)
    log.audio("codes", 3, "original", wave)
    log.close()
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert board.Tags()["audio"] == ["codes/original"]
    assert board.Audio("codes/original")[0].sample_rate == 16_000
    assert board.Images("codes/original/spectrogram")[0].height == 257


def test_a_full_disk_is_raised_and_not_printed(tmp_path, monkeypatch):
    printed = []
    monkeypatch.setattr(threading, "excepthook", printed.append)
    log = RunLog(tmp_path, quiet=True)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    log.scalars("train", "codes", 1, {"mel": 0.5})
    monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", full)
    with pytest.raises(OSError, match="No space left"):
        for step in range(2, 2000):
            log.scalars("train", "codes", step, {"mel": 0.5})
            time.sleep(0.001)
    with suppress(OSError):
        log.close()
    assert printed == [] and threading.excepthook == printed.append


def test_a_quiet_run_says_its_warnings_alone(tmp_path, capsys):
    for how, heard in (({"quiet": True}, True), ({"silent": True}, False)):
        log = RunLog(tmp_path, **how)
        log.start("codes", 0, 5)
        log.progress({"mel": 0.5})
        log.say("a word")
        log.warn("the codebook collapses")
        log.close()
        assert capsys.readouterr().err == "vqspeech: the codebook collapses\n" * heard


def test_progress_bar_of_each_stage(tmp_path, capsys):
    log = RunLog(tmp_path)
    log.start("codes", 3, 5)
    for _ in range(2):
        log.progress({"mel": 0.5})
    log.start("waveform", 0, 5)
    log.say("a word")
    log.close()
    shown = capsys.readouterr().err
    assert "codes" in shown and "5/5" in shown and "waveform" in shown
    assert "vqspeech: a word" in shown
