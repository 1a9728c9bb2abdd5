"""Ctrl-C, `kill` and a closed terminal, at whatever the program is at."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import have_ended

from vqspeech.cli import signals
from vqspeech.cli.main import main

START = """
import os, signal, sys, time
from pathlib import Path
from vqspeech.cli import main, signals, speakers
from vqspeech.files import whole_file, whole_path

def ready():
    print(flush=True)

def work():
    with whole_file(Path("file")), whole_path(Path("other")):
        ready()
        time.sleep(60)
"""
RUN = """
speakers.run = lambda args: work()
sys.exit(main.main())
"""


def ended(tmp_path, numbers, code=""):
    """(status, lines on stderr) of a verb that was sent signals; `code` may define `work` anew."""
    process = subprocess.Popen(
        [sys.executable, "-c", START + code + RUN, "speakers"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
    )
    assert process.stdout is not None
    for number in numbers:
        process.stdout.readline()
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.splitlines()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_signal_is_ctrl_c(tmp_path, name):
    number = signal.Signals[name]
    assert ended(tmp_path, [number]) == (128 + number, ["vqspeech: interrupted"])
    assert os.listdir(tmp_path) == []


def test_a_second_signal_does_not_break_the_putting_away(tmp_path):
    code = """
def work():
    try:
        ready()
        time.sleep(60)
    finally:
        ready()
        time.sleep(0.5)
        Path("tidied").touch()
"""
    status, err = ended(tmp_path, [signal.SIGTERM, signal.SIGINT], code)
    assert status == 143 and err == ["vqspeech: interrupted"]
    assert os.listdir(tmp_path) == ["tidied"]


LOST = {
    "in a destructor": """
class Thing:
    def __del__(self):
        ready()
        time.sleep(60)

def work():
    with whole_file(Path("file")):
        Thing()
        time.sleep(60)
""",
    "turned into another": """
def work():
    with whole_file(Path("file")):
        try:
            ready()
            time.sleep(60)
        except BaseException:
            raise ImportError("half of a library") from None
""",
    "printed by a library that loads": """
def work():
    try:
        ready()
        time.sleep(60)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise ImportError("multiarray failed to import") from None
""",
    "swallowed, again and again": """
signals.GRACE_SECONDS = 0.5

def work():
    with whole_file(Path("file")), whole_path(Path("other")):
        ready()
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
""",
}


@pytest.mark.parametrize("how", LOST)
def test_an_exception_that_gets_lost_ends_it_all_the_same(tmp_path, how):
    status, err = ended(tmp_path, [signal.SIGTERM], LOST[how])
    assert status == 143
    assert err in ([], ["vqspeech: interrupted"])
    assert os.listdir(tmp_path) == []


PUT_OFF = """
from vqspeech import endings
signals.GRACE_SECONDS, endings.AGAIN_SECONDS = 0.3, 0.6

def work():
    later = lambda: print("later", file=sys.stderr)
    with whole_file(Path("file")), endings.PutOff(later) as ending:
        ready()
        while not ending.wanted:
            time.sleep(0.01)
        time.sleep(0.9)  # longer than what a program is given to end in
        Path("kept").touch()
        MORE
"""


def test_what_is_put_off_is_done_first(tmp_path):
    status, err = ended(tmp_path, [signal.SIGTERM], PUT_OFF.replace("MORE", "pass"))
    assert (status, err) == (143, ["later", "vqspeech: interrupted"])
    assert os.listdir(tmp_path) == ["kept"]


@pytest.mark.parametrize("more", ["time.sleep(60)", "swallow()"])
def test_a_second_signal_is_not_put_off(tmp_path, more):
    code = """
def swallow():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""
    code += PUT_OFF.replace("MORE", f"ready(); {more}")
    status, err = ended(tmp_path, [signal.SIGTERM, signal.SIGINT], code)
    assert (status, err[0]) == (130, "later")
    assert os.listdir(tmp_path) == ["kept"]


def test_what_is_ignored_already_stays_so(tmp_path):
    """`nohup vqspeech train ... &`"""
    code = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
def work():
    ready()
    os.kill(os.getppid(), 0)
    ready()
    time.sleep(0.2)
"""
    assert ended(tmp_path, [signal.SIGHUP, signal.SIGHUP], code) == (0, [])


def test_the_first_moment_shows_no_traceback(tmp_path):
    code = (
        "import os, signal, sys, builtins\n"
        "from vqspeech.__main__ import main\n"
        "load = builtins.__import__\n"
        "def interrupted(name, *rest):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return load(name, *rest)\n"
        "builtins.__import__ = interrupted\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def handlers():
    return [signal.getsignal(number) for number in signals.ENDING], sys.excepthook


def test_who_calls_main_or_imports_the_package_keeps_their_signals(capsys):
    before = handlers()
    assert main(["--version"]) == 0 and main(["sing"]) == 2
    assert handlers() == before
    code = "import signal, vqspeech, vqspeech.codec, vqspeech.parallel, vqspeech.cli.main\n"
    code += "print(signal.getsignal(15) == signal.SIG_DFL, signal.getsignal(2).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "default_int_handler"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_folder_verb_ends_with_its_workers(make_audio, tiny_model, tmp_path):
    """SIGTERM once the first codes are there, with workers at their work."""
    for number in range(30):
        make_audio(f"in/{number:02}.wav", seconds=1, seed=number)
    command = ["encode", "in", "out", "--model", str(tiny_model), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vqspeech", *command], cwd=tmp_path, stderr=subprocess.PIPE
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None and not list((tmp_path / "out").glob("*.npy")):
        time.sleep(0.01)
    workers = [int(pid) for pid in children.read_text().split()]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, b"vqspeech: interrupted\n")
    assert len(workers) >= 2 and have_ended(workers)
    assert not list((tmp_path / "out").glob(".*"))
