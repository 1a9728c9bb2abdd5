"""recipes/base/results.py: the page of results and the README's table, from report.json alone."""

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from written_report import written

SCRIPT = Path(__file__).resolve().parents[2] / "recipes" / "base" / "results.py"


@pytest.fixture
def reports(tmp_path):
    seen = written(tmp_path / "eval-seen" / "report.json", 0.9)
    return seen, written(tmp_path / "eval-unseen" / "report.json", 0.8)


class Done(NamedTuple):
    """What the script left."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(base_script, monkeypatch, capsys):
    """run(argument ...): the script in this process."""
    script = base_script("results")

    def done(*arguments):
        monkeypatch.setattr(sys, "argv", ["results.py", *map(str, arguments)])
        capsys.readouterr()
        try:
            script.finish(script.main)
        except SystemExit as ended:
            return Done(ended.code, *capsys.readouterr())
        return Done(0, *capsys.readouterr())

    return done


def test_the_page_has_the_tables_of_both_splits(run, reports):
    done = run(*reports)
    assert (done.returncode, done.stderr) == (0, "")
    known, unknown = done.stdout.split("## Speakers that are not in the corpus")
    assert "`base` (00ff)" in known and "torch 2.11" in known and "abacus, 2 cores" in known
    for part, figure in ((known, 0.9), (unknown, 0.8)):
        assert "2030-01-02T03:04:05" in part and "seeds 0 to 1" in part
        assert f"| ESTOI ↑ | {figure:.2f} ± 0.00 | {figure - 0.01:.2f} ± 0.00 |" in part
        titles = ["Reconstruction", "The WaveNet against Griffin-Lim from the same codes"]
        assert re.findall("### (.*)", part) == [*titles, "Conversion", "Spread over seeds"]
        assert "| ESTOI ↑ | -0.010 ± 0.000 | -0.020 ± 0.000 |" in part
        assert "| Griffin-Lim (preview) | WaveNet + post-filter | WaveNet alone | Opus 6 |" in part
    assert "Skipped: eval-seen: bad" in known and "Skipped: eval-unseen: bad" in unknown
    # What both say is said once.
    assert done.stdout.count("speex-2150 was left out") == 1
    assert done.stdout.count("Means over utterances") == 1


def test_the_readme_has_one_small_table(run, reports):
    lines = run(*reports, "--readme").stdout.splitlines()
    assert lines[0] == "<!-- results.py: begin -->" and lines[-1] == "<!-- results.py: end -->"
    table = [line for line in lines if line.startswith("|")]
    heading = (
        "| original | Griffin-Lim (preview) | WaveNet + post-filter | WaveNet alone | Opus 6 |"
    )
    assert table[0].endswith(heading)
    assert table[2:] == [
        "| bit/s | - | 451 | 451 | 451 | 6100 |",
        "| bit/s, prior | - | 90 / 80 | 90 / 80 | 90 / 80 | - |",
        "| ESTOI ↑ | 0.90 / 0.80 | 0.89 / 0.79 | 0.88 / 0.78 | 0.87 / 0.77 | - |",
    ]


def test_the_readme_has_whispers_words_beside_pocketsphinxs(run, reports):
    for path in reports:
        content = json.loads(path.read_text())
        heard = {"words_kept": 40.0, "kept": 10, "whisper_words_kept": 60.0, "whisper_kept": 12}
        heard |= {"whisper_words_right": 70.0, "words": 9, "words_right": 1.0}
        content["utterances"][0]["scores"]["wavenet"] |= heard
        path.write_text(json.dumps(content))
    text = run(*reports, "--readme").stdout
    assert "| words right, % of those heard in the original ↑ | - | - | 40.0 | - | - |" in text
    assert "| words right (Whisper), % of the transcript ↑ | - | - | 70.0 | - | - |" in text
    whisper = "| words right (Whisper), % of those heard in the original ↑ | - | - | 60.0 | - | - |"
    assert whisper in text


@pytest.mark.parametrize("identity, words", [("own voice", "in their own voices"), ("other", "as")])
def test_the_readme_says_what_unknown_speakers_were_decoded_as(run, tmp_path, identity, words):
    about = {"unknown_speakers_decoded_as": identity}
    paths = [
        written(tmp_path / split / "report.json", 0.9, unknown_speaker_utterances=count, **about)
        for split, count in (("eval-seen", 0), ("eval-unseen", 2))
    ]
    text = run(*paths, "--readme").stdout
    assert f"2 of the second are of speakers whom it does not know, decoded {words}" in text
    assert "of the first are" not in text and ("`other`" in text) == (identity == "other")
    known, unknown = run(*paths).stdout.split("## Speakers that are not in the corpus")
    assert "- 2 utterances decoded by the speaker's name\n" in known
    assert f"- 2 of speakers whom the model does not know decoded {words}" in unknown


@pytest.fixture
def several(reports):
    """Both splits at 450 and 900 bit/s."""
    for path, figure in zip(reports, (0.95, 0.93), strict=True):
        folder = path.parent.with_name(f"{path.parent.name}-900")
        written(folder / "report.json", figure, ("preview", "wavenet"), 900.0)
    (reports[0].parent.parent / "eval-seen-old").mkdir()
    return reports


def test_quality_over_bit_rate(run, several):
    done = run(*several)
    assert (done.returncode, done.stderr) == (0, "")
    assert "![Quality over bit rate](rates.svg)" in done.stdout
    known, unknown = done.stdout.split("## Speakers that are not in the corpus")
    for part, low, high in ((known, 0.9, 0.95), (unknown, 0.8, 0.93)):
        wavenet, preview = part.split("### By bit rate: ")[1:]
        assert wavenet.startswith("WaveNet + post-filter") and preview.startswith("Griffin-Lim")
        assert "| | 450 bit/s | 900 bit/s | original | Opus 6 |" in wavenet
        assert "| bit/s, codes ↓ | 451 | 901 | - | 6100 |" in wavenet
        row = f"{low - 0.02:.2f} ± 0.00 | {high - 0.01:.2f} ± 0.00 | {low:.2f} ± 0.00 | - |"
        assert f"| ESTOI ↑ | {row}" in wavenet
    text = run(*several, "--readme").stdout
    assert "| known / unknown speakers, WaveNet + post-filter | 450 bit/s | 900 bit/s |" in text
    assert "| ESTOI ↑ | 0.88 / 0.78 | 0.94 / 0.92 |" in text


def test_what_was_measured_again_at_a_higher_rate(run, several, tmp_path):
    written(tmp_path / "eval-seen-900-again" / "report.json", 0.5, ("wavenet",), 900.0)
    known, unknown = run(*several).stdout.split("## Speakers that are not in the corpus")
    wavenet, preview = known.split("### By bit rate: ")[1:]
    assert "| ESTOI ↑ | 0.88 ± 0.00 | 0.50 ± 0.00 |" in wavenet
    assert "| ESTOI ↑ | 0.89 ± 0.00 | 0.95 ± 0.00 |" in preview, "what was not stays"
    assert "| 0.92 ± 0.00 |" in unknown.split("### By bit rate: ")[1]


def test_what_was_measured_again(run, reports, tmp_path):
    methods = ("wavenet", "convert-wavenet", "opus-6000")
    path = written(tmp_path / "eval-seen-again" / "report.json", 0.5, methods)
    content = json.loads(path.read_text())
    for row in content["utterances"]:
        row["scores"]["convert-wavenet"] = {"target_similarity": 0.75}
        del row["scores"]["opus-6000"]  # it failed
    path.write_text(json.dumps(content))
    known, unknown = run(*reports).stdout.split("## Speakers that are not in the corpus")
    assert "| speaker similarity to the target ↑ | 0.75 ± 0.00 |" in known
    assert "| speaker similarity to the target ↑ | 0.70 ± 0.00 |" in unknown
    assert "| ESTOI ↑ | 0.90 ± 0.00 | 0.89 ± 0.00 |" in known, "what was not stays"
    assert "| ESTOI | 0.060 (0.450 to 0.510) |" in known, "seeds are those of the means"
    assert f"Measured again on 2030-01-02: {', '.join(methods)}." in known
    path.write_text(json.dumps(content | {"about": content["about"] | {"fingerprint": "ffff"}}))
    done = run(*reports)
    assert done.returncode == 2 and "another model" in done.stderr


def test_how_own_voices_were_heard_is_the_later_measurements(run, tmp_path):
    own = {"unknown_speaker_utterances": 2, "unknown_speakers_decoded_as": "own voice"}
    seen = written(tmp_path / "eval-seen" / "report.json", 0.9)
    unseen = written(tmp_path / "eval-unseen" / "report.json", 0.8, **own)
    again = tmp_path / "eval-unseen-again" / "report.json"
    for methods, refined in ((("convert-wavenet",), False), (("preview",), True)):
        written(again, 0.5, methods, refined=True, **own)
        for form in ([], ["--readme"]):
            text = run(seen, unseen, *form).stdout
            assert "decoded in their own voices" in text
            assert ("hears them, refined, and" in text) == refined
        again.unlink()
        again.parent.rmdir()


def test_a_picture_of_it(run, several, tmp_path):
    done = run(*several, "--plot", tmp_path / "rates.svg")
    assert (done.returncode, done.stdout) == (0, "")
    root = ElementTree.parse(tmp_path / "rates.svg").getroot()
    text = " ".join(root.itertext())
    assert "Known speakers" in text and "Unknown speakers" in text and text.count("ESTOI ↑") == 2
    assert "WaveNet + filter: 0.88 at 450 bit/s" in text and "900: 0.94 at 900 bit/s" in text
    assert float(root.get("height")) == 2 * (280 + 34)
    assert len(root.findall(".//{*}polyline")) == 2, "a curve of ours"


@pytest.mark.parametrize("what", ["another model", "other recordings"])
def test_rates_that_do_not_belong_together_are_refused(run, several, what):
    path = several[1].parent.with_name("eval-unseen-900") / "report.json"
    content = json.loads(path.read_text())
    if what == "another model":
        content["about"]["fingerprint"] = "ffff"
    else:
        content["utterances"].pop()
    path.write_text(json.dumps(content))
    done = run(*several)
    assert done.returncode == 2 and what in done.stderr and not done.stdout


def test_no_picture_of_one_rate(run, reports, tmp_path):
    done = run(*reports, "--plot", tmp_path / "rates.svg")
    assert done.returncode == 2 and "no reports of higher rates" in done.stderr
    assert not (tmp_path / "rates.svg").exists()


def test_a_report_without_the_honest_row_is_told(run, reports, tmp_path):
    bare = written(tmp_path / "bare" / "report.json", 0.8, ("original", "preview", "wavenet"))
    done = run(reports[0], bare, "--readme")
    assert done.returncode == 0 and f"{bare} has no wavenet-unfiltered" in done.stderr
    assert "WaveNet alone" not in done.stdout


def test_what_does_not_belong_together_is_refused(run, reports, tmp_path):
    other = written(tmp_path / "other" / "report.json", 0.8, fingerprint="ffff")
    done = run(reports[0], other)
    assert done.returncode == 2 and "is of another model" in done.stderr and not done.stdout
    done = run(reports[0], tmp_path / "none.json")
    assert done.returncode == 2 and "none.json: cannot be read" in done.stderr
    done = run(reports[0], SCRIPT)
    assert done.returncode == 2 and "is no report.json" in done.stderr
