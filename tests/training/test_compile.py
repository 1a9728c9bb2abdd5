"""The WaveNet compiled for training: the same training."""

from shutil import which

import pytest
from tiny_runs import Runs, with_stage

from vqspeech.errors import InputError
from vqspeech.training.run import Options, cpp_compilers


@pytest.mark.slow  # compiling takes most of a minute
def test_a_compiled_run_says_the_same(runs, everything):
    if not any(map(which, cpp_compilers())):
        pytest.skip("needs a C++ compiler")
    config = with_stage(everything, "codes", steps=2)
    config = with_stage(config, "waveform", steps=4)
    logs = []
    for compile in (False, True):
        out = runs.train(
            config,
            f"run-{compile}",
            stages=("codes", "waveform"),
            compile=compile,
            save_minutes=1e-9,
        )
        logs.append(
            {key: figures["nats"] for key, figures in Runs.log(out).items() if "nats" in figures}
        )
    plain, compiled = logs
    assert plain.keys() == compiled.keys() and len(plain) > 4
    assert compiled == pytest.approx(plain, rel=2e-3)


def test_without_a_compiler_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match="install g\\+\\+"):
        Options(tmp_path, tmp_path / "out", device="cpu", compile=True)
    assert Options(tmp_path, tmp_path / "out", device="cpu")


def test_a_compiler_is_named_by_the_environment(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    assert "g++" in cpp_compilers()
    monkeypatch.setenv("CXX", "clang++-18")
    assert cpp_compilers() == ("clang++-18",)
