"""Locks of folders and of what is being written."""

import os
import signal
import subprocess
import sys
import time

import pytest

from vqspeech import locks
from vqspeech.errors import InputError
from vqspeech.locks import LOCK_FILE, STALE_SECONDS, held, remove_dead, sole_process

HOLDER = """
import sys, time
from pathlib import Path
from vqspeech.locks import sole_process
with sole_process(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process, at work in tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE
    )
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def no_locks(descriptor):
    return None


def test_a_second_process_is_refused_by_name_until_the_first_is_dead(holder, tmp_path):
    for _ in range(2):
        with (
            pytest.raises(InputError, match=f"process {holder.pid} on .* wait .*another folder"),
            sole_process(tmp_path),
        ):
            pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with sole_process(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_also_within_one_process_and_after_an_error(tmp_path):
    with sole_process(tmp_path), pytest.raises(InputError), sole_process(tmp_path):
        pass
    with pytest.raises(KeyError), sole_process(tmp_path):
        raise KeyError
    with sole_process(tmp_path):
        assert os.listdir(tmp_path) == [LOCK_FILE]


def test_where_there_are_no_locks_the_work_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "take", no_locks)
    with sole_process(tmp_path), sole_process(tmp_path):
        pass
    with sole_process(tmp_path / "none"):
        pass


@pytest.mark.parametrize("make", ["mkdir", "touch"])
def test_what_is_held_stays_and_what_is_left_goes(tmp_path, make):
    path = tmp_path / "a"
    getattr(path, make)()
    with held(path) as ours:
        assert ours
        remove_dead([path])
        assert path.exists()
    remove_dead([path, path])
    assert not path.exists()
    with held(path) as ours:
        assert not ours


def test_links_and_pipes_are_not_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    os.mkfifo(tmp_path / "pipe")
    remove_dead([tmp_path / "link", tmp_path / "pipe"])
    assert sorted(os.listdir(tmp_path)) == ["kept", "link", "pipe"]


def test_another_users_stay(tmp_path, monkeypatch):
    (tmp_path / "a").touch()
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "a").stat().st_uid + 1)
    remove_dead([tmp_path / "a"])
    assert (tmp_path / "a").exists()


def test_without_locks_only_age_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "take", no_locks)
    (tmp_path / "new").touch()
    (tmp_path / "old").touch()
    os.utime(tmp_path / "old", (time.time() - 2 * STALE_SECONDS,) * 2)
    remove_dead(tmp_path.iterdir())
    assert os.listdir(tmp_path) == ["new"]
