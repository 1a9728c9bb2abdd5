"""What libraries print while they read damaged files, and what else may still be printed."""

import ctypes
import platform
import sys
import threading
from contextlib import suppress

import numpy as np
import pytest
import soundfile

from vqspeech.audio import reading as audio
from vqspeech.audio.quiet import quiet_libraries
from vqspeech.errors import InputError

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's streams only")


def printed(words: bytes) -> None:
    library = ctypes.CDLL(None)
    library.printf(words)
    library.fflush(None)
    library.perror(words)


def test_c_code_is_silent_within_and_heard_outside(capfd):
    printed(b"before")
    with quiet_libraries():
        printed(b"within")
        print("own")
        print("own error", file=sys.stderr)
    printed(b"after")
    out, err = capfd.readouterr()
    assert "before" in out and "own" in out and "after" in out and "within" not in out
    assert "before" in err and "own error" in err and "after" in err and "within" not in err


def test_threads_and_nesting(capfd):
    started, end = threading.Event(), threading.Event()

    def work():
        with quiet_libraries():
            started.set()
            end.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    started.wait(10)
    with quiet_libraries(), quiet_libraries():
        printed(b"within")
    printed(b"still within")
    end.set()
    thread.join()
    printed(b"after")
    out, err = capfd.readouterr()
    assert out == "after" and err.startswith("after:")


def test_an_exception_ends_it(capfd):
    with pytest.raises(ZeroDivisionError), quiet_libraries():
        _ = 1 / 0
    printed(b"after")
    assert capfd.readouterr().out == "after"


@pytest.mark.parametrize(("kind", "at"), [("MP3", 700), ("MP3", 1500), ("SDS", 900), ("SDS", 2000)])
def test_damaged_files_print_nothing(tmp_path, capfd, kind, at):
    path = tmp_path / f"in.{kind.lower()}"
    noise = 0.1 * np.random.default_rng(0).standard_normal(8000)
    soundfile.write(path, noise, 16_000, format=kind)
    data = bytearray(path.read_bytes())
    data[at : at + 600] = b"\x80" * 600
    path.write_bytes(data)
    with suppress(soundfile.LibsndfileError):
        soundfile.read(path)
    ctypes.CDLL(None).fflush(None)
    assert "".join(capfd.readouterr()), "libsndfile prints nothing of this file: no test"
    try:
        audio.read(path)
    except InputError as error:
        assert str(path) in str(error)
    ctypes.CDLL(None).fflush(None)
    assert capfd.readouterr() == ("", "")
