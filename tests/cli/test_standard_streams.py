"""stdout and stderr closed, full or unread: no traceback, the same files, a status that says so."""

import io
import os
import subprocess
import sys

import pytest

from vqspeech.cli.main import BAD_INPUT, NO_READER, main
from vqspeech.notices import notify


class Full(io.TextIOBase):
    """A stream on a disk without room."""

    def __init__(self, error: OSError | None = None):
        self.error = error or OSError(28, "No space left on device")

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error

    def fileno(self):
        raise OSError("has none")


@pytest.mark.parametrize(
    "stderr", [None, Full(), Full(BrokenPipeError(32, "Broken pipe"))], ids=["absent", "full", "-"]
)
@pytest.mark.parametrize(
    "words",
    [
        ["encode", "in.wav", "out.npy"],
        ["encode", "in.wav", "out.vqs", "--packed"],
        ["decode", "codes.npy", "out.wav", "--speaker", "anna"],
        ["decode", "codes.npy", "out.wav", "--speaker", "anna", "--preview"],
        ["convert", "in.wav", "out.wav", "--speaker", "bert"],
        ["generate", "out.wav", "--seconds", "0.2"],
        ["prepare", "rec", "out"],
    ],
    ids=lambda words: words[0],
)
def test_what_cannot_be_said_is_lost_and_the_work_is_done(
    tiny_prior_model, make_audio, monkeypatch, capsys, words, stderr, tmp_path
):
    make_audio("in.wav")
    for i in range(4):
        make_audio(f"rec/anna/{i}.wav", seconds=3.0, seed=i)
    monkeypatch.chdir(tmp_path)
    model = [] if words[0] == "prepare" else ["--model", str(tiny_prior_model)]
    if words[0] == "decode":
        assert main(["encode", "in.wav", "codes.npy", *model]) == 0
    capsys.readouterr()
    monkeypatch.setattr(sys, "stderr", stderr)
    assert main([*words, *model]) == 0
    made = {path.name for path in tmp_path.iterdir()} - {"in.wav", "rec", "codes.npy"}
    assert made == {next(word for word in words if word.startswith("out"))}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["speakers"], ["info"]])
def test_results_that_nobody_takes_are_an_error(tiny_model, monkeypatch, capsys, words):
    model = ["--model", str(tiny_model)] if words[0] in ("speakers", "info") else []
    monkeypatch.setattr(sys, "stdout", Full())
    assert main([*words, *model]) == BAD_INPUT
    assert "standard output: cannot be written (No space left" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdout", Full(BrokenPipeError(32, "Broken pipe")))
    assert main([*words, *model]) == NO_READER
    assert capsys.readouterr().err == ""


def run(command: str, *words: str) -> subprocess.CompletedProcess:
    shell = ["bash", "-c", f'"{sys.executable}" -m vqspeech "$@" {command}', "-", *words]
    return subprocess.run(shell, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (">&-", 2, "standard output: cannot be written"),
        ("> /dev/full", 2, "standard output: cannot be written"),
        ("2>&-", 0, ""),
        ("2> /dev/full", 0, ""),
        ("<&- >&- 2>&-", 2, ""),
    ],
)
def test_closed_and_full_streams_of_a_process(command, status, says):
    done = run(command, "--version")
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_a_closed_stderr_does_not_make_way_for_a_file(tmp_path):
    # The next file opened would have its number, and get what libraries print.
    out, text = tmp_path / "out", "import os, sys; from vqspeech.cli.standard_streams import *\n"
    text += "with standard_streams(), open(sys.argv[1], 'w') as file: file.write('kept')\n"
    text += "os.write(2, b'noise')"
    words = [sys.executable, "-c", text, str(out)]
    subprocess.run(["bash", "-c", '"$@" 2>&-', "-", *words], check=True)
    assert out.read_text() == "kept"


def test_notices_are_one_line_and_never_in_the_way(monkeypatch, capsys):
    notify("a\nb\x1b[2J")
    assert capsys.readouterr().err == "vqspeech: a b [2J\n"
    for stderr in (None, Full(), open(os.devnull, "w")):  # noqa: SIM115
        if stderr is not None and not isinstance(stderr, Full):
            stderr.close()
        monkeypatch.setattr(sys, "stderr", stderr)
        notify("lost")
    assert capsys.readouterr().out == ""
