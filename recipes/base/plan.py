"""What `run.sh` is about to do, and how long training will take on this machine.

    python recipes/base/plan.py --speech DIR --out exp/base/run [--teacher DIR]

Packs a few of the recordings into a scratch folder, takes some steps of each stage that is left,
teacher and reading of crops included, and prints the stages, their steps and the hours that they
will take if the machine stays as busy as it is. Nothing of it is kept. With --left: the names of
the training stages that are left, one a line.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from shared import finish, spread

from vqspeech.cli.train import stage_steps, with_steps
from vqspeech.config.model import Config
from vqspeech.config.reading import load_preset
from vqspeech.data.corpus import find_utterances
from vqspeech.data.pack import pack
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import PHONEME_HOP, save_phonemes
from vqspeech.parallel import cores
from vqspeech.training.fit_prior import STAGE as PRIOR
from vqspeech.training.run import Options
from vqspeech.training.timing import StageLeft, run_left, step_seconds

SAMPLED = 48
"""Recordings, spread over the corpus."""
HELD_OUT = 0.1
SECONDS = 20.0


def sample(speech: Path, splits: str | None, folder: Path) -> Path:
    """A few recordings packed, with invented phonemes: their loss is part of a step."""
    manifest = speech / "manifest.tsv"
    known = (manifest, splits) if manifest.is_file() else (None, None)
    chosen = spread(find_utterances(speech, *known), SAMPLED)
    pack(chosen, folder, 1, HELD_OUT, 0.0, progress=False)
    corpus = PackedCorpus(folder)
    samples = corpus.index["utterances"]["samples"]
    save_phonemes(corpus, [np.zeros(-(-n // PHONEME_HOP), np.int8) for n in samples])
    return folder


def timed(config: Config, options: Options, left: list[StageLeft], seconds: float) -> str:
    """A table of the stages that are left, and its sum."""
    measured = dict(step_seconds(config, options, left, seconds))
    rows, total = [f"  {'stage':10}{'steps':>9}{'done':>9}{'s/step':>9}{'hours':>8}"], 0.0
    for stage in left:
        one = measured[stage.name]
        hours = one * stage.left / 3600
        total += hours
        figures = f"{stage.steps:>9,}{stage.done:>9,}{one:>9.3f}{hours:>8.2f}"
        rows.append(f"  {stage.name:10}{figures}{' at most' if stage.name == PRIOR else ''}")
    rows.append(f"  training: about {total:.1f} h if this machine stays as busy as it is;")
    return "\n".join([*rows, "  preparing, checkpoints and evaluation come on top, not timed"])


def planned(args: argparse.Namespace, config: Config, left: list[StageLeft]) -> str:
    """The table, made in a scratch folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix="vqspeech-plan-") as scratch:
        data = sample(args.speech, args.splits, Path(scratch, "packed"))
        own = {"teacher": args.teacher, "device": args.device, "quiet": True}
        return timed(config, Options(data, Path(scratch, "run"), **own), left, args.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--speech", type=Path, metavar="DIR", help="recordings, as of run.sh")
    add("--splits", metavar="A,B", help="of DIR/manifest.tsv (default: all)")
    add(
        "--seconds",
        type=float,
        default=SECONDS,
        help="that a stage is timed (default: %(default)g)",
    )
    add("--left", action="store_true", help="only name the stages that are left")
    add("--config", default="base", help="preset or .toml file (default: base)")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    add("--teacher", metavar="DIR", help="as of `vqspeech train`")
    add("--steps", type=stage_steps, nargs="+", action="extend", default=[], metavar="STAGE=N")
    add("--device", default="auto")
    args = parser.parse_args()
    config = with_steps(load_preset(args.config), dict(args.steps))
    options = Options(args.out, args.out, teacher=args.teacher, device=args.device)
    left = run_left(config, options)
    if args.left:
        print("\n".join(stage.name for stage in left if stage.name != PRIOR))
        return
    where = f"{cores()} cores" if options.on_cpu else torch.cuda.get_device_name()
    print(f"plan: train {config.name} in {args.out}, on {where}", flush=True)
    if config.training.taught and args.teacher is None:
        print("  no teacher is given (--teacher): codes are learned without one", flush=True)
    print(planned(args, config, left) if left else "  training: nothing to do, all stages done")


if __name__ == "__main__":
    finish(main)
