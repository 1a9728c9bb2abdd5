"""How long the shipped WaveNet has learned, and what of: its whole curve, over all of its runs.

    python recipes/base/curve.py RUN...                        # what a run has learned, added
    python recipes/base/curve.py --plot docs/learning.svg      # the table, and its picture

RUN: the folder of a run of `vqspeech train`, the earlier first. Each one's figures of `valid` in
the stage `waveform` are added to `learning.jsonl` beside this file, steps and hours counted on from
what is there; a run that is there already gets its new ones only. Hours are those of the steps: a
pause is none. Figures compare as far as the runs had crops of one size. Prints the table; --plot
needs the extra `bench`.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

from shared import finish

from vqspeech.errors import InputError
from vqspeech.files import write_text

LOG = Path(__file__).with_name("learning.jsonl")
FIGURES = ("nats_per_step", "nats_per_step_shuffled", "mel")
OWN = "nats_per_step_own"
"""Of a WaveNet that learns under the recording's own envelope: what falls as it learns."""
STAGE = "waveform"
PAUSE = 5
"""Times as long between two lines of a log as usual is a pause."""


def lines(path: Path) -> list[dict]:
    """The lines of a log of JSON; none where there is no file."""
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no log of JSON lines ({error})") from None


def learned(run: Path) -> Iterator[dict]:
    """Of each checkpoint of a run's WaveNet: time, steps, hours, FIGURES. Raises InputError where
    it has none."""
    path = run / "log.jsonl"
    own = [line for line in lines(path) if line.get("stage") == STAGE]
    checkpoints = [line for line in own if line["kind"] == "valid"]
    if not checkpoints:
        raise InputError(f"{path}: has no figures of stage {STAGE}; give the folder of such a run")
    # What was resumed has some steps twice; the later ones are those that were kept.
    times = {line["step"]: line["time"] for line in own if line["kind"] == "train"}
    steps = sorted(times)
    took = {(a, b): (times[b] - times[a]) / (b - a) for a, b in pairwise(steps)}
    usual = median(took.values()) if took else 0.0
    for line in checkpoints:
        spent = usual * line["step"]
        for (a, b), each in took.items():
            more = each - usual if 0 < each < PAUSE * usual else 0.0
            spent += more * max(0, min(b, line["step"]) - a)
        figures = {name: line[name] for name in FIGURES}
        figures |= {OWN: line[OWN]} if OWN in line else {}
        yield {"time": line["time"], "steps": line["step"], "hours": spent / 3600} | figures


def added(known: list[dict], run: Path) -> list[dict]:
    """`known` checkpoints, in their order, and a run's: counted on from those before it."""
    times, found = {line["time"] for line in known}, list(learned(run))
    before = [line for line in known if line["time"] < found[0]["time"]]
    last = before[-1] if before else {"steps": 0, "hours": 0.0}
    for line in found:
        if line["time"] not in times:
            counted = {"steps": line["steps"] + last["steps"]}
            counted["hours"] = round(line["hours"] + last["hours"], 3)
            known = [*known, line | counted]
    return known


def table(known: list[dict]) -> str:
    """Markdown, a row a checkpoint."""
    rows = [
        "| steps | hours | nats a step | of shuffled codes | under the recording's envelope |",
        "|---:|---:|---:|---:|---:|",
    ]
    for line in known:
        nats = [f"{line[name]:.3f}" if name in line else "" for name in (*FIGURES[:2], OWN)]
        rows.append(f"| {line['steps']:,} | {line['hours']:.2f} | {' | '.join(nats)} |")
    return "\n".join(rows)


def picture(known: list[dict], path: Path) -> None:
    """Nats over hours."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    envelopes = {FIGURES[0]: ("#a02a63", "codes'"), OWN: ("#2a63a0", "recording's")}
    for name, (color, whose) in envelopes.items():
        found = [(line["hours"], line[name]) for line in known if name in line]
        if found:
            label = f"under the {whose} envelope"
            axes.plot(*zip(*found, strict=True), "o-", markersize=4, color=color, label=label)
    axes.legend()
    axes.set(xlabel="hours of training", ylabel="nats a step, valid", xlim=(0, None))
    above = axes.secondary_xaxis("top")
    shown = [known[round(part * (len(known) - 1) / 4)] for part in range(1, 5)]
    above.set_xticks([line["hours"] for line in shown], [f"{line['steps']:,}" for line in shown])
    above.set_xlabel("steps")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    # The same file from the same figures, its letters as letters.
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN")
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--plot", type=Path, metavar="SVG")
    args = parser.parse_args()
    known = before = lines(args.log)
    for run in args.runs:
        known = added(known, run)
    if not known:
        raise InputError(f"{args.log}: has nothing yet; give a RUN")
    if known != before:
        write_text(args.log, "".join(json.dumps(line) + "\n" for line in known))
    print(table(known))
    if args.plot:
        picture(known, args.plot)


if __name__ == "__main__":
    finish(main)
