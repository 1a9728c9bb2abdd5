"""recipes/robustness: a few hundred damaged files, and that what goes wrong is seen."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import bad_encoders
import numpy as np
import pytest

ROBUSTNESS = Path(__file__).resolve().parents[2] / "recipes" / "robustness"
FILES = 300


@pytest.fixture(scope="module")
def parts():
    """The recipe's modules, by their names, as its processes import them."""
    sys.path.insert(0, str(ROBUSTNESS))
    import containers
    import mutations
    import seeds
    import victim
    import watch

    yield {part.__name__: part for part in (containers, mutations, seeds, victim, watch)}
    sys.path.remove(str(ROBUSTNESS))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def fuzz(run, *arguments):
    command = [sys.executable, str(ROBUSTNESS / "fuzz.py"), "--out", str(run), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def report(run, tiny_model):
    """What 300 files end with; every one through the verb."""
    done = fuzz(run, "--files", str(FILES), "--workers", "1", "--model", str(tiny_model))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_damaged_files_are_read_or_refused(report, parts):
    rows = {line[:24].strip(): line[24:].split() for line in report.splitlines()[3:] if line}
    assert set(parts["mutations"].MUTATIONS) <= set(rows)
    assert {"WAV", "FLAC", "MP3", "OGG", "AIFF", "CAF", "AU", "W64"} <= set(rows)
    read, refused, failed = map(int, rows["all"][:3])
    assert read > FILES / 5 and refused > FILES / 5
    assert read + refused == FILES and failed == 0


def test_a_file_can_be_made_again(run, report, tmp_path):
    for _ in range(2):
        assert fuzz(run, "--only", "17").returncode == 0
        [path] = run.glob("17.*")
        path.rename(tmp_path / f"{len(list(tmp_path.iterdir()))}")
    first, second = (path.read_bytes() for path in tmp_path.iterdir())
    assert first == second


def test_a_run_goes_on_where_it_stopped(run, report, tiny_model):
    rows = (run / "outcomes.csv").read_text().splitlines(keepends=True)
    (run / "outcomes.csv").write_text("".join(rows[:-5]))
    again = fuzz(run, "--files", str(FILES), "--workers", "1", "--model", str(tiny_model))
    assert again.returncode == 0 and len((run / "outcomes.csv").read_text().splitlines()) == FILES


@pytest.mark.parametrize(
    ("fault", "word"),
    [(bad_encoders.crash, "crash"), (bad_encoders.hang, "hang"), (bad_encoders.grow, "memory")],
)
def test_a_bad_end_is_seen_and_the_rest_goes_on(parts, run, report, fault, word):
    watch, victim = parts["watch"], parts["victim"]
    task = victim.Task(run, run, 0, None)
    limits = watch.Limits(seconds=1.0 if word == "hang" else 30.0, mebibytes=200)
    with watch.Watched(task, 1, target=partial(bad_encoders.serve, fault), limits=limits) as pool:
        outcomes = list(pool.outcomes(iter([[1, 2, 3, 4], [5, 6]])))
    verdicts = {outcome.number: outcome.verdict for outcome in outcomes}
    assert word in verdicts.pop(bad_encoders.BAD)
    assert verdicts == dict.fromkeys((1, 2, 4, 5, 6), victim.READ)


@pytest.mark.parametrize(
    ("status", "said", "made", "verdict"),
    [
        (0, "vqspeech: wrote x.npy (1 codes)\n", True, "read"),
        (0, "vqspeech: wrote x.npy (1 codes)\n", False, "without codes"),
        (2, "vqspeech: error: x: is empty\n", False, "refused"),
        (2, "vqspeech: error: x: is empty\n", True, "status 2"),
        (2, "", False, "status 2"),
        (2, "vqspeech: error: a\nvqspeech: error: b\n", False, "status 2"),
        (1, "Traceback (most recent call last):\n  x\nKeyError: 'x'\n", False, "KeyError"),
        (-11, "", False, "status -11"),
    ],
)
def test_ends_are_told_apart(parts, tmp_path, status, said, made, verdict):
    out = tmp_path / "x.npy"
    if made:
        np.save(out, np.zeros(3, np.uint16))
    found, library = parts["victim"].judged(status, said + "Note: x\n" * made, out)
    assert verdict in found
    assert ("Note: x" in library) == made
    assert not out.exists()


def test_sums_of_ogg_pages(parts):
    data = parts["seeds"].written(16_000, 1, "OGG", "VORBIS", "FILE")
    damaged = bytearray(data)
    damaged[22:26] = b"\0\0\0\0"
    assert parts["containers"].ogg_page_sums(bytes(damaged)) == data
