"""The paper's claims beside what was measured here, as a page of the docs: never by hand.

    python recipes/paper/report.py EXP > docs/paper.md

EXP is the folder of `bash recipes/paper/run.sh`: its run's log and configuration, what stage 4
measured on recordings of known and of unknown speakers, and what stages 6 and 7 found. What is
not there yet is left out, and the page says so.
"""

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.config.model import from_dict
from vqspeech.errors import InputError
from vqspeech.evaluation.methods import (
    CONVERT_UNFILTERED,
    CONVERT_WAVENET,
    UNFILTERED,
    WAVENET,
)
from vqspeech.evaluation.rates import PRIOR
from vqspeech.evaluation.report import tables
from vqspeech.evaluation.report.json_form import NATS_OF_BITS, read_report
from vqspeech.evaluation.report.markdown import table_lines
from vqspeech.evaluation.report.report import Report
from vqspeech.evaluation.report.tables import Table
from vqspeech.training.corpus_codes import CODES_FILE

STAGE, PRIOR_STAGE = "joint", "prior"
PAUSE = 5
"""Times as long between two lines of a log as usual is a pause."""
POINTS = 12
"""Of the curve, at most."""
KNOWN = "eval-seen"
SPLITS = {KNOWN: "Speakers of the corpus", "eval-unseen": "Speakers that are not in it"}
CURVE = (
    f"On held-out crops, nats of a sample at {NATS_OF_BITS} bits, teacher-forced; *worth* is what "
    "the right codes save against those of other frames: 0 for a decoder that ignores them. "
    "*codes* and *perplexity* are those of these few seconds."
)
BOTTLENECKS = (
    "The same small network, the same steps, one thing changed (`recipes/paper/ablations`). "
    "`gaussian` has a variational bottleneck in the quantizer's place, `default-init` PyTorch's "
    "own weights to begin with; `recipes/paper/bottlenecks.py` says what the columns are. Runs of "
    "600 steps of all of them stand in `recipes/paper/README.md`."
)
PUBLISHED, GAUSSIAN = "as-published", "gaussian"
"""Bottlenecks that the first claim is about."""
ELSEWHERE = (
    "Not of this run yet. Short runs of the quantizer's variants, and of a Gaussian in its place, "
    "stand in `recipes/paper/README.md`."
)
NOTHING = "not measured yet"
"""Of a claim."""


class Learned(NamedTuple):
    """A line of validation: how far the run was, in steps and hours, and the model's figures."""

    step: int
    hours: float
    figures: dict[str, float]


class Log:
    """What a run's `log.jsonl` says."""

    def __init__(self, path: Path):
        try:
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            self._lines = [line | {"time": float(line["time"])} for line in lines]
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); train first") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: is no log of a run ({error!r})") from None

    def learned(self, stage: str) -> list[Learned]:
        """The lines of validation of a stage. Hours are those that it ran, pauses left out."""
        own = [line for line in self._lines if line.get("stage") == stage]
        waits = [after["time"] - before["time"] for before, after in pairwise(own)]
        longest = PAUSE * median(waits) if waits else 0.0
        found, seconds = [], 0.0
        for line, took in zip(own, [0.0, *waits], strict=False):  # there may be none
            seconds += took if took <= longest else 0.0
            if line["kind"] == "valid":
                found.append(Learned(line["step"], seconds / 3600, line))
        return found


class Experiment:
    """What lies in EXP."""

    def __init__(self, folder: Path):
        run = folder / "run"
        self.config = from_dict(_json(run / "config.json"))
        log = Log(run / "log.jsonl")
        self.curve, self.fitted = log.learned(STAGE), log.learned(PRIOR_STAGE)
        if not self.curve:
            raise InputError(f"{run}/log.jsonl: no validation of the stage {STAGE}; train longer")
        self.reports = {
            split: read_report(path)
            for split in SPLITS
            if (path := folder / "report" / split / "report.json").exists()
        }
        asked = folder / "phonemes" / "phonemes" / "phonemes.json"
        self.phonemes = _json(asked) if asked.exists() else None
        self.bottlenecks = _text(folder / "bottlenecks" / "bottlenecks.md")
        self.worth = {
            name: (kept := _json(path)["found"])["shuffled"] - kept["right"]
            for name in (PUBLISHED, GAUSSIAN)
            if (path := folder / "bottlenecks" / f"{name}.json").exists()
        }
        """Nats a sample that the right latents of these bottlenecks are worth."""
        self.generated = _text(folder / "generated" / "generated.txt")
        self.fitted_hours = _hours(run / CODES_FILE, self.config.frame_rate)
        """Of speech, to whose codes the prior was fitted; None where they are not kept."""

    @property
    def report(self) -> Report | None:
        """Of the speakers that it knows, if there is one."""
        return self.reports.get(KNOWN)

    def nats(self, one: Learned) -> tuple[float, float]:
        """-log p of an audio sample with the right codes, and with shuffled ones."""
        bands, of = self.config.decoder.bands, one.figures
        return of["nats_per_step"] / bands, of["nats_per_step_shuffled"] / bands

    def averages(self, *methods: str) -> dict[str, Any]:
        """What the first of these decoders that was measured has of each figure, of speakers that
        the model knows."""
        found = self.report.averages() if self.report else {}
        return next((found[method] for method in methods if method in found), {})


def claims(found: Experiment) -> Table:
    """What the paper says, and what was found here."""
    rows = [
        [
            "The decoder does not ignore the codes",
            "a VQ-VAE has no posterior collapse",
            _used(found),
        ],
        [
            "A prior is fitted afterwards",
            "log p(x) ≈ log p(x given z) + log p(z)",
            _likelihood(found),
        ],
        ["What is said stays, the waveform does not", "by ear", _kept(found)],
        ["The voice is the speaker's", "by ear, converted", _converted(found)],
        [
            "Phonemes are found without being told",
            "49.3 % (7.2 % by the most frequent)",
            _phonemes(found),
        ],
    ]
    return Table("", ["", "van den Oord et al.", "here"], rows)


def _used(found: Experiment) -> str:
    figures, (right, wrong) = found.curve[-1].figures, found.nats(found.curve[-1])
    text = (
        f"{right:.2f} nats a sample with the right codes, {wrong:.2f} with those of other frames; "
        f"the few seconds that are held out use {figures['codes_used']:.0f} of "
        f"{found.config.quantizer.codebook_size} codes, perplexity {figures['perplexity']:.0f}"
    )
    if len(found.worth) == 2:
        codes, gaussian = found.worth[PUBLISHED], found.worth[GAUSSIAN]
        text += f". In a small network (below) the right codes are worth {codes:.2f} nats, right "
        text += f"Gaussian latents {gaussian:.2f}"
    return text


def _likelihood(found: Experiment) -> str:
    report = found.report
    if report is None or not report.nats:
        return NOTHING
    told = report.nats["right"] / report.about["samples_per_step"] / math.log(2)
    plain = report.codes["bits_per_second"] / SAMPLE_RATE
    text = f"{told:.2f} bits a sample of {NATS_OF_BITS} given the codes, "
    text += f"and for them {plain:.3f} uniform"
    if PRIOR in report.rates:
        prior = report.rates[PRIOR]["coded"] / SAMPLE_RATE
        text += f", {prior:.3f} with the prior{_fit(found)}: together {told + prior:.2f}"
    return text


def _fit(found: Experiment) -> str:
    """What the prior was fitted to, and how long, as far as it is known."""
    known = [f"{found.fitted_hours:.1f} h"] if found.fitted_hours else []
    known += [f"{found.fitted[-1].step:,} steps"] if found.fitted else []
    return f" ({', '.join(known)})" if known else ""


def _kept(found: Experiment) -> str:
    return _joined(
        found.averages(UNFILTERED, WAVENET),
        (
            ("whisper_words_kept", "{:.0f} % of the words that Whisper hears in the original"),
            ("words_kept", "{:.0f} % of those that pocketsphinx hears"),
            ("f0_correlation", "F0 correlation {:.2f}"),
            ("estoi", "ESTOI {:.2f}"),
            ("pesq", "PESQ {:.2f} of 4.64"),
        ),
    )


def _converted(found: Experiment) -> str:
    return _joined(
        found.averages(CONVERT_UNFILTERED, CONVERT_WAVENET),
        (
            (
                "closer_to_target",
                "{:.0f} % of the conversions are nearer the target than the source",
            ),
            ("target_similarity", "similarity {:.2f} to the one"),
            ("source_similarity", "{:.2f} to the other"),
        ),
    )


def _phonemes(found: Experiment) -> str:
    if found.phonemes is None:
        return NOTHING
    accuracy, about = found.phonemes["accuracy"], found.phonemes["about"]

    def share(kind: str, space: str) -> str:
        return f"{100 * accuracy[kind][space]['mean']:.1f} %"

    return (
        f"{share('all', 'codes')}, {share('speech', 'codes')} without silence "
        f"({share('all', 'majority')} and {share('speech', 'majority')} by the most frequent), "
        f"{about['codes_per_second']:g} codes a second"
    )


def _joined(averages: dict[str, Any], wanted: Sequence[tuple[str, str]]) -> str:
    parts = [
        text.format(one.mean)
        for name, text in wanted
        if (one := averages.get(name)) is not None and one.count
    ]
    return "; ".join(parts) or NOTHING


def curve(found: Experiment) -> Table:
    """How the figures went, at some of the steps."""
    rows = []
    for one in thinned(found.curve, POINTS):
        right, wrong = found.nats(one)
        used = (f"{one.figures[name]:.0f}" for name in ("codes_used", "perplexity"))
        cells = (f"{one.hours:.2f}", f"{right:.3f}", f"{wrong:.3f}")
        rows.append([f"{one.step:,}", *cells, f"{wrong - right:.3f}", *used])
    headings = ["steps", "hours", "nats", "shuffled", "worth"]
    return Table("", [*headings, "codes", "perplexity"], rows)


def thinned(items: Sequence[Learned], most: int) -> Iterable[Learned]:
    """At most so many, spread evenly, the last one among them."""
    count = min(most, len(items))
    return (items[(i + 1) * len(items) // count - 1] for i in range(count))


def page(found: Experiment) -> str:
    """The page, in Markdown."""
    lines = ["# The paper's own experiment", "", about_model(found), "", about_run(found)]
    heading, _, *rows = table_lines(claims(found))
    lines += ["", "## Claim by claim", "", heading, "|---|---|---|", *rows]  # text, no figures
    lines += ["", "## What more training buys", "", CURVE, "", *table_lines(curve(found))]
    for split, report in found.reports.items():
        lines += ["", f"## {SPLITS[split]}", "", *(f"- {fact}" for fact in tables.facts(report))]
        for table in tables.tables(report):
            lines += ["", f"### {table.title}", "", *table_lines(table)]
    if found.generated:
        lines += ["", "## Speech from nothing", ""]
        lines += [f"- {line}" for line in found.generated.splitlines() if line]
    lines += ["", "## Bottlenecks beside one another", ""]
    lines += [BOTTLENECKS, "", found.bottlenecks.strip()] if found.bottlenecks else [ELSEWHERE]
    if found.report:
        lines += ["", "## How to read this"]
        for note in tables.notes(found.report):
            lines += ["", note]
    return "\n".join(lines) + "\n"


def about_model(found: Experiment) -> str:
    """What it is that was trained, in words."""
    config = found.config
    return (
        "The preset `paper` is section 4.3 of van den Oord et al. 2017: "
        f"{len(config.encoder.strides)} strided convolutions on the raw waveform ({config.hop}x), "
        f"K = {config.quantizer.codebook_size}, {config.frame_rate:g} codes a second, a codebook "
        f"with a loss term of its own, beta {config.quantizer.commitment:g}, one full-band WaveNet "
        f"of {config.decoder.layers} layers that is told the codes and a speaker. It learns by "
        "equation 3 and nothing else. The paper gives neither the widths nor how long it was "
        "trained. [How it works](how-it-works.md) says where `base` departs from it, and why."
    )


def about_run(found: Experiment) -> str:
    """How long it was trained and where, in words."""
    last, steps = found.curve[-1], found.config.training.stage(STAGE).steps
    trained = f"{last.step:,} of {steps:,} steps, {last.hours:.1f} hours"
    if found.report:
        machine = found.report.about["machine"]
        trained += f"; {machine['processor']}, {machine['cores']} cores"
        trained += f", {found.report.about['date'][:10]}"
    text = (
        "This page is written by `python recipes/paper/report.py`, from what "
        f"`bash recipes/paper/run.sh --speech DIR` trained and measured: {trained}."
    )
    if last.step < steps:
        text += " **The run is not at its end**: its figures are those of a beginning."
    return text


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: is no JSON ({error})") from None


def _hours(path: Path, frame_rate: float) -> float | None:
    """Of the codes that a prior was fitted to."""
    try:
        with safe_open(path, "np") as file:
            [codes] = file.get_slice("train.indices").get_shape()
    except (OSError, SafetensorError):
        return None
    return codes / frame_rate / 3600


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exp", type=Path, metavar="EXP")
    print(page(Experiment(parser.parse_args().exp)), end="")


if __name__ == "__main__":
    import sys

    try:
        main()
    except (InputError, OSError) as error:
        print(f"report.py: error: {error}", file=sys.stderr)
        sys.exit(2)
