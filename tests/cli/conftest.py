"""Runs the real command line in this process and looks at everything it leaves behind."""

from typing import NamedTuple

import pytest

from vqspeech.cli.main import main
from vqspeech.sampling import compilation


class Result(NamedTuple):
    status: int
    out: str
    err: list[str]


@pytest.fixture(scope="session", autouse=True)
def compilation_is_announced():
    """Nothing more is said of it: what a verb says is the same where its kernels are compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compilation, "_announced", ["said"])
        yield


@pytest.fixture
def cli(capsys):
    """cli(*arguments) -> Result."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Result(status, said.out, said.err.splitlines())

    return run


@pytest.fixture
def refused(cli, tmp_path):
    """refused(arguments, *words): status 2, one line on stderr with `words`, nothing written."""

    def check(arguments, *words):
        before = sorted(tmp_path.rglob("*"))
        result = cli(*arguments)
        assert result.status == 2
        assert result.out == ""
        assert len(result.err) == 1, result.err
        line = result.err[0]
        assert line.startswith("vqspeech: error: ")
        for word in words:
            assert str(word) in line
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return check
