"""The README says what happens: its lines are run with the shipped model, or at least parsed.

A comment before a block tells which: `<!-- not run: why -->` for what needs a network, a corpus or
hours; `<!-- slow: why -->` for what `bash tests/run.sh --slow` runs. The pages of docs/ likewise.
"""

import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from code_blocks import blocks

from vqspeech.cli.main import VERBS, main

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SENTENCE = ROOT / "egs" / "sentence.flac"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the lines begin with: speech, of which the codec itself made a part."""
    folder = tmp_path_factory.mktemp("readme")
    for name in (
        "in.wav",
        "anybody.wav",
        "eva/1.wav",
        "eva/2.wav",
        "eva/3.wav",
        "recordings/anna/1.wav",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SENTENCE, folder / name)  # read by its content, not by its name
    return folder


@pytest.fixture
def here(place, monkeypatch):
    monkeypatch.chdir(place)
    return place


def words(line: str) -> list[str]:
    """A shell line's words, file names with * filled in where there are such files."""
    found = []
    for word in shlex.split(line, comments=True):
        matches = sorted(map(str, Path().glob(word))) if "*" in word else []
        found += matches or [word]
    return found


def run_shell(how: str, capsys) -> int:
    """Run the README's blocks that are marked `how`; returns how many lines there were."""
    count = 0
    for block in blocks(README, "bash"):
        for line in block.lines() if block.how == how else ():
            program, *arguments = words(line)
            assert program == "vqspeech", f"what is run here are verbs: {line}"
            status = main(arguments)
            assert status == 0, f"{line}\n{capsys.readouterr().err}"
            count += 1
    return count


def test_it_has_at_most_1200_words():
    """The tables of results apart, which no one writes or reads through."""
    text = re.sub(
        "(?s)<!-- results.py: begin -->.*<!-- results.py: end -->", "", README.read_text()
    )
    assert len(text.split()) <= 1200


def test_its_shell_lines_run(here, capsys):
    assert run_shell("", capsys) >= 8
    assert (here / "out.wav").stat().st_size > 16_000
    assert (here / "codes" / "anna" / "1.npy").is_file()


@pytest.mark.slow
def test_its_slow_shell_lines_run(here, capsys):
    assert run_shell("slow", capsys) >= 1
    assert (here / "eva.safetensors").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page, here):
    for block in blocks(page, "python"):
        code = compile(block.text, str(page), "exec")
        if block.how != "not run":
            exec(code, {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_know_the_options(page, monkeypatch, capsys):
    """Every `vqspeech VERB ...` goes through its real parser, which knows all options."""
    for name in VERBS:
        monkeypatch.setattr(import_module(f"vqspeech.cli.{name}"), "run", lambda options: 0)
    lines = [line for block in blocks(page, "bash") for line in block.lines()]
    for part in [part for line in lines for part in re.split(r"\s\|\s", line)]:  # of pipes
        arguments = words(part)
        if "vqspeech" in arguments:  # also after `accelerate launch ... -m`
            status = main(arguments[arguments.index("vqspeech") + 1 :])
            assert status == 0, f"{part}\n{capsys.readouterr().err}"


def scripts(page: Path) -> list[tuple[Path, list[str]]]:
    """The repository's scripts that a page calls, in blocks and in the text, with their options."""
    calls = re.findall(
        r"(?:bash|python) ((?:recipes|tests|egs)/\S+\.(?:sh|py)|app\.py)([^`\n#]*)",
        page.read_text(),
    )
    return [(ROOT / name, re.findall(r"(?<!\S)--[\w-]+", rest)) for name, rest in calls]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_exist_and_know_the_options(page):
    for script, options in scripts(page):
        assert script.is_file(), script
        text = script.read_text()
        assert not [option for option in options if option not in text], script


def test_wrong_options_are_found(monkeypatch, capsys):
    monkeypatch.setattr(import_module("vqspeech.cli.encode"), "run", lambda options: 0)
    assert main(words("encode in.wav codes.npy  # fine")) == 0
    assert main(words("encode in.wav codes.npy --no-such-option")) == 2


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", README.read_text())
    assert targets
    missing = [t for t in targets if "://" not in t and not (ROOT / t).exists()]
    assert not missing
