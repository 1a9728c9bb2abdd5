"""recipes/robustness/kills.py: it sees what a killed run leaves, and a few runs leave nothing."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROBUSTNESS = Path(__file__).resolve().parents[2] / "recipes" / "robustness"
sys.path.insert(0, str(ROBUSTNESS))

from kills import MARK, left_of  # noqa: E402
from snapshots import hidden, snapshot  # noqa: E402


def test_half_a_file_and_what_is_hidden_are_seen(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros(16_000), 16_000)
    np.save(tmp_path / "b.npy", np.arange(100))
    (tmp_path / "c.json").write_text('{"seconds_taken": 1, "codes": [2]}')
    (tmp_path / "d.vqs").write_bytes(b"whole")
    before = snapshot(tmp_path)
    (tmp_path / "c.json").write_text('{"seconds_taken": 3, "codes": [2]}')
    assert snapshot(tmp_path) == before and set(before) == {"a.flac", "b.npy", "c.json", "d.vqs"}
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    after = snapshot(tmp_path)
    assert {name for name in after if after[name] != before[name]} == set(before)
    assert "unreadable" in after["b.npy"] and "unreadable" in after["c.json"]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / ".vqspeech-0.partial").touch()
    assert hidden(tmp_path) == ["folder/.vqspeech-0.partial"]
    assert set(snapshot(tmp_path)) == set(before)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_process_that_is_left_is_seen():
    environment = os.environ | {MARK: "this-test"}
    child = subprocess.Popen(["sleep", "100"], env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not left_of("this-test") and time.monotonic() < deadline:
            time.sleep(0.01)  # a child has no environment to read until it is all set up
        assert left_of("this-test") == [child.pid]
    finally:
        child.kill()
        child.wait()
    assert left_of("this-test") == []


@pytest.mark.slow
def test_six_runs():
    command = [sys.executable, str(ROBUSTNESS / "kills.py"), "--runs", "6", "--seed", "5"]
    done = subprocess.run(
        [*command, "--verbs", "encode folder,prepare"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 runs, " in done.stdout and " 0 wrong" in done.stdout
