import os
import subprocess
import sys

import pytest

import vqspeech
from vqspeech.cli import main as cli_main
from vqspeech.cli import speakers
from vqspeech.errors import InputError

HEAVY = ("torch", "numba", "librosa", "scipy", "accelerate")
COMPILERS = ("torch._dynamo", "sympy")


def loaded_after(code: str, heavy: tuple[str, ...] = HEAVY) -> list[str]:
    """Heavy packages in a fresh interpreter after `code`."""
    look = f"print('loaded:', *[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{look}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("loaded:")[2].split()


def test_importing_the_package_is_light():
    assert loaded_after("import vqspeech; vqspeech.__version__; vqspeech.Codes") == []


def test_help_is_light_for_every_verb():
    code = "from vqspeech.cli.main import VERBS, main\nassert main(['--help']) == 0\n"
    code += "for verb in VERBS: assert main([verb, '--help']) == 0"
    assert loaded_after(code) == []


def test_bad_arguments_are_refused_before_anything_heavy_is_loaded(tmp_path):
    code = (
        f"from vqspeech.cli.main import main\nassert main(['encode', {str(tmp_path)!r}, 'x']) == 2"
    )
    assert not set(HEAVY) & set(loaded_after(code))


def test_encoding_loads_no_compiler(hearing_model, make_audio, tmp_path):
    """Not even to fit a voice vector: torch.compile takes seconds to load."""
    encode = ["encode", str(make_audio(seconds=1.5)), str(tmp_path / "codes.vqs")]
    encode += ["--model", str(hearing_model)]
    code = f"from vqspeech.cli.main import main\nassert main({encode!r}) == 0\n"
    assert loaded_after(code, COMPILERS) == []


def test_module_and_version():
    done = subprocess.run(
        [sys.executable, "-m", "vqspeech", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"vqspeech {vqspeech.__version__}\n"


@pytest.mark.parametrize("verb", [["info"], ["encode", "in.wav", "out.npy"]])
def test_a_working_folder_that_was_removed_is_one_line(cli, tmp_path, monkeypatch, verb):
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    result = cli(*verb)
    assert result.status == 2 and len(result.err) == 1 and "working folder" in result.err[0]
    assert cli("info", "--help").status == 0


def test_help_names_every_verb(cli):
    result = cli("--help")
    assert result.status == 0 and result.err == []
    for verb in cli_main.VERBS:
        assert verb in result.out
        about = cli(verb, "--help")
        assert about.status == 0 and about.err == [] and f"vqspeech {verb}" in about.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["VERB"]),
        (["sing"], ["sing", "encode"]),
        (["--loud"], ["VERB"]),
        (["encode"], ["IN", "vqspeech encode --help"]),
        (["encode", "a"], ["OUT"]),
        (["encode", "a", "b", "c"], ["c: ", "one name too many", "give the folder"]),
        (["convert", "a.wav", "b.wav", "--speaker", "x", "c.wav"], ["c.wav: ", "as IN"]),
        (["prepare", "a", "b", "c"], ["c: ", "as ROOT"]),
        (["info", "a", "b"], ["unrecognized", "b"]),
        (["encode", "-x.wav", "out.npy"], ["-x.wav: ", "write ./-x.wav"]),
        (["decode", "a.npy", "-o.wav"], ["-o.wav: ", "write ./-o.wav"]),
        (["convert", "a", "b", "--speaker", "-v.safetensors"], ["write ./-v.safetensors"]),
        (["encode", "a", "b.npy", "--device", "tpu"], ["--device", "tpu", "cuda"]),
        (["decode", "a.npy", "b.wav", "--seed", "-1"], ["--seed", "-1", "0.."]),
        (["decode", "a.npy", "b.wav", "--seed", str(2**63)], ["--seed"]),
        (["decode", "a.npy", "b.wav", "--seed", "1.5"], ["--seed", "whole number"]),
        (["decode", "a.npy", "b.wav", "--temperature", "nan"], ["--temperature", "nan", "0..2"]),
        (["decode", "a.npy", "b.wav", "--temperature", "2.1"], ["--temperature"]),
        (["decode", "a.npy", "b.wav", "--temperature", "hot"], ["--temperature", "hot"]),
        (["prepare", "a", "b", "--valid", "0.9"], ["--valid", "0..0.5"]),
        (["prepare", "a", "b", "--workers", "0"], ["--workers"]),
        (["prepare", "a", "b", "--splits", "train,,x"], ["--splits"]),
        (["train", "--data", "a", "--out", "b"], ["--config"]),
    ],
)
def test_wrong_arguments(refused, arguments, words):
    refused(arguments, *words)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["encode", "", "out"], "IN"),
        (["encode", "in", "--", ""], "OUT"),
        (["convert", "in", "", "--speaker", "x"], "OUT"),
        (["convert", "in", "out", "--speaker", ""], "--speaker"),
        (["info", ""], "FILE"),
        (["info", "--model="], "--model"),
        (["prepare", "in", ""], "OUT"),
        (["prepare", "in", "out", "--manifest", ""], "--manifest"),
        (["train", "--config", "base", "--data", "", "--out", "run"], "--data"),
        (["train", "--config", "base", "--data", "in", "--out", ""], "--out"),
        (["evaluate", "--data", "in", "--out", ""], "--out"),
        (["phonemes", "--data", "in", "--alignments", ""], "--alignments"),
        (["enroll", "Eva", "a.wav", "", "--out", "v.safetensors"], "FILE"),
        (["demo", "--voice", "v.safetensors", "--voice", ""], "--voice"),
    ],
)
def test_empty_arguments_are_not_the_working_folder(
    refused, tmp_path, monkeypatch, arguments, name
):
    monkeypatch.chdir(tmp_path)
    refused(arguments, f"error: {name} is an empty name", "unset")


def run_instead(monkeypatch, function):
    monkeypatch.setattr(speakers, "run", lambda args: function())


def raise_(error):
    raise error


def test_a_message_is_one_line_whatever_it_names(refused, monkeypatch):
    message = "a\nb\r\x1b[31m\u2028c\x9b: is wrong; mend it"
    run_instead(monkeypatch, lambda: raise_(InputError(message)))
    assert refused(["speakers"]).endswith("a b [31m c : is wrong; mend it")


def test_interrupt(cli, monkeypatch):
    run_instead(monkeypatch, lambda: raise_(KeyboardInterrupt()))
    result = cli("speakers")
    assert result.status == 130 and result.err == ["vqspeech: interrupted"]


def test_other_errors_are_not_hidden(cli, monkeypatch):
    run_instead(monkeypatch, lambda: raise_(RuntimeError("a bug")))
    with pytest.raises(RuntimeError):
        cli("speakers")


def test_a_closed_pipe_is_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "vqspeech", "--version"], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
