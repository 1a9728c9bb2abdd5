"""recipes/paper/report.py: the page of the paper's experiment, from what its run left."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from written_report import written

from vqspeech.config.reading import load_preset
from vqspeech.errors import InputError

PAPER = Path(__file__).resolve().parents[2] / "recipes" / "paper"
SCORES = {"words_kept": 40.0, "kept": 10, "estoi": 0.5}


def line(step, time, kind="valid", stage="joint", **figures):
    valid = {"nats_per_step": 6.0 - step / 100, "nats_per_step_shuffled": 6.5}
    valid |= {"codes_used": 200.0 + step, "perplexity": 99.6}
    about = {"kind": kind, "stage": stage, "step": step, "time": time}
    return about | (valid if kind == "valid" else {}) | figures


def experiment(folder, lines):
    (folder / "run").mkdir(parents=True)
    config = load_preset(PAPER / "paper.toml").to_dict()
    (folder / "run" / "config.json").write_text(json.dumps(config))
    (folder / "run" / "log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return folder


@pytest.fixture(scope="module")
def page():
    """page(EXP): what the script prints."""
    about = importlib.util.spec_from_file_location("paper_report", PAPER / "report.py")
    module = importlib.util.module_from_spec(about)
    about.loader.exec_module(module)
    return lambda folder: module.page(module.Experiment(folder))


def section(text, title):
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(text):
    return [one.strip("| ").split(" | ") for one in text.splitlines() if one.startswith("| ")]


def test_the_curve_has_the_hours_that_the_run_went_on(page, tmp_path):
    lines = [
        line(0, 1000.0, kind="train"),
        line(50, 1360.0),
        line(100, 1720.0),
        line(100, 4720.0, kind="train"),  # it went on fifty minutes later
        line(100, 5000.0, stage="prior", kind="train"),
        line(150, 5080.0),
    ]
    text = page(experiment(tmp_path, lines))
    head, first, _, last = rows(section(text, "What more training buys"))
    assert head[:2] == ["steps", "hours"]
    assert first == ["50", "0.10", "5.500", "6.500", "1.000", "250", "100"]
    assert last == ["150", "0.30", "4.500", "6.500", "2.000", "350", "100"]
    assert "150 of 60,000 steps, 0.3 hours" in text and "not at its end" in text


def test_a_run_that_is_over_is_called_no_beginning(page, tmp_path):
    text = page(experiment(tmp_path, [line(60_000, 1.0)]))
    assert "60,000 of 60,000 steps" in text and "not at its end" not in text


def test_a_long_curve_is_thinned_to_its_end(page, tmp_path):
    lines = [line(step, 1000.0 + step) for step in range(1, 101)]
    _, *shown = rows(section(page(experiment(tmp_path, lines)), "What more training buys"))
    assert len(shown) == 12 and shown[-1][0] == "100"


def test_what_is_not_measured_is_not_claimed(page, tmp_path):
    text = page(experiment(tmp_path, [line(60, 1.0)]))
    _, used, *others = rows(section(text, "Claim by claim"))
    assert used[2].startswith("5.40 nats a sample with the right codes, 6.50 with those of other")
    assert "the few seconds that are held out use 260 of 512 codes, perplexity 100" in used[2]
    assert len(others) == 4 and all(row[2] == "not measured yet" for row in others)
    assert "Not of this run yet" in section(text, "Bottlenecks beside one another")
    assert "## Speech from nothing" not in text


def test_all_that_a_run_leaves_is_on_the_page(page, tmp_path):
    fitted = [line(step, 2.0 + step, stage="prior") for step in (200, 1400)]
    folder = experiment(tmp_path, [line(60, 1.0), *fitted])
    methods = ("original", "wavenet", "convert-wavenet")
    path = folder / "report" / "eval-seen" / "report.json"
    written(path, 0.9, methods, rate=2250.0, samples_per_step=1)
    content = json.loads(path.read_text())
    for utterance in content["utterances"]:
        utterance["scores"]["wavenet"] = SCORES
        utterance["scores"]["convert-wavenet"] = {"closer_to_target": 75.0}
    path.write_text(json.dumps(content))
    (folder / "bottlenecks").mkdir()
    (folder / "bottlenecks" / "bottlenecks.md").write_text(
        "| | nats |\n|---|---:|\n| ema | 6.1 |\n"
    )
    for name, shuffled in (("as-published", 6.75), ("gaussian", 6.25)):
        beside = {"found": {"right": 6.0, "shuffled": shuffled}}
        (folder / "bottlenecks" / f"{name}.json").write_text(json.dumps(beside))
    (folder / "phonemes" / "phonemes").mkdir(parents=True)
    share = {"codes": {"mean": 0.41}, "majority": {"mean": 0.125}}
    phonemes = {"about": {"codes_per_second": 25.0}, "accuracy": {"all": share, "speech": share}}
    (folder / "phonemes" / "phonemes" / "phonemes.json").write_text(json.dumps(phonemes))
    (folder / "generated").mkdir()
    (folder / "generated" / "generated.txt").write_text("20 utterances of 4 s, 10 speakers\n")

    save_file({"train.indices": np.zeros(1_350_000, "u2")}, folder / "run" / "codes.safetensors")

    text = page(folder)
    _, used, likelihood, kept, converted, found = rows(section(text, "Claim by claim"))
    assert used[2].endswith(
        "perplexity 100. In a small network (below) the right codes are worth 0.75 nats, right "
        "Gaussian latents 0.25"
    )
    # 10 nats a sample, 2,250 bit/s of plain codes, 90 with the prior
    assert likelihood[2] == (
        "14.43 bits a sample of 16 given the codes, and for them 0.141 uniform, 0.006 with the "
        "prior (1.5 h, 1,400 steps): together 14.43"
    )
    assert kept[2] == "40 % of those that pocketsphinx hears; ESTOI 0.50"
    assert converted[2] == "75 % of the conversions are nearer the target than the source"
    assert found[2].startswith("41.0 %, 41.0 % without silence (12.5 % and 12.5 %")
    assert "abacus, 2 cores, 2030-01-02" in text
    assert "### Reconstruction" in section(text, "Speakers of the corpus")
    assert "- 20 utterances of 4 s, 10 speakers" in section(text, "Speech from nothing")
    assert "| ema | 6.1 |" in section(text, "Bottlenecks beside one another")


@pytest.mark.parametrize(
    "text, words",
    [
        (None, "cannot be read"),
        ("{}\n", "is no log of a run"),
        ("rubbish\n", "is no log of a run"),
        ("", "no validation of the stage joint"),
        (json.dumps(line(1, 2.0, stage="codes")) + "\n", "no validation of the stage joint"),
    ],
)
def test_bad_folders_are_refused(page, tmp_path, text, words):
    folder = experiment(tmp_path, [])
    log = folder / "run" / "log.jsonl"
    log.unlink() if text is None else log.write_text(text)
    with pytest.raises(InputError, match=words):
        page(folder)
