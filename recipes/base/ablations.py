"""Ablations of the codes: every TOML of a folder trained alike, and one table of what each keeps.

    python recipes/base/ablations.py PACKED MANIFEST OUT --teacher DIR --whisper DIR

PACKED is stage 1's corpus (`exp/base/packed`), MANIFEST the manifest that it was made from. Each
TOML (default: recipes/base/ablations/*.toml) trains its stage `codes` in OUT/NAME, for as many
--steps or as many --minutes as all others, with the same seed; then its codes are measured on the
`valid` utterances as codes.py does, through Griffin-Lim. The table goes to stdout and to
OUT/ablations.md. Safe to interrupt at any point: the same command goes on where it stopped, and
measures no model twice. Needs the extras `train`, `eval` and `teacher`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from codes import Shared, headings, on_held_out, shared
from shared import finish

from vqspeech import Codec
from vqspeech.config.model import Config
from vqspeech.config.reading import load_preset
from vqspeech.errors import InputError
from vqspeech.files import make_folder, whole_path
from vqspeech.training.state import load_position

TOMLS = Path(__file__).with_name("ablations")
FIRST = "unchanged"
"""What the others are compared with stands first."""
STAGE = "codes"
STEPS = 3000
TAUGHT = ("perceptual", "states")
ROW_FILE, TABLE_FILE = "row.json", "ablations.md"
LEAST_MINUTES = 0.01


class Ablation(NamedTuple):
    toml: Path
    config: Config
    out: Path


def ablations(tomls: list[Path], out: Path, teacher: str | None) -> list[Ablation]:
    """What is to be trained, in its order. Raises InputError before hours of work."""
    paths = tomls or sorted(TOMLS.glob("*.toml"), key=lambda path: (path.stem != FIRST, path.stem))
    if len({path.stem for path in paths}) < len(paths):
        raise InputError("two of the TOML files have the same name; rename one")
    found = [Ablation(path, load_preset(path), out / path.stem) for path in paths]
    for one in found:
        one.config.training.stage(STAGE)
        if one.config.training.taught and teacher is None:
            raise InputError(f"{one.toml} asks for a teacher: give --teacher DIR, or name others")
    return found


def train(one: Ablation, args: argparse.Namespace) -> None:
    """Train it as far as all others; nothing where that is done. Raises InputError."""
    position = load_position(one.out)
    command = [sys.executable, "-m", "vqspeech", "train", "--config", one.toml, "--data"]
    command += [args.packed, "--out", one.out, "--stages", STAGE, "--resume"]
    command += ["--seed", args.seed, "--device", args.device]
    command += ["--steps", f"{STAGE}={args.steps}"] if args.steps else []
    command += ["--init", args.init] if args.init else []
    command += ["--teacher", args.teacher] if one.config.training.taught else []
    if args.minutes is not None:
        left = args.minutes - (position.seconds / 60 if position else 0)
        if left < LEAST_MINUTES:
            return
        command += ["--max-minutes", left]
    done = subprocess.run([str(part) for part in command])
    if done.returncode:
        raise InputError(f"{one.toml.name}: training ended with status {done.returncode}")


def measured(one: Ablation, on: Shared) -> str:
    """The columns of `headings`, then what the teacher said; kept beside the model."""
    kept, codec = one.out / ROW_FILE, Codec.from_pretrained(one.out / "model", "cpu")
    asked = {"fingerprint": codec.fingerprint, "headings": headings(on)}
    asked |= {"utterances": len(on.utterances)}
    try:
        known = json.loads(kept.read_text())
        if {name: known[name] for name in asked} == asked:
            return known["row"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    row = f"{on_held_out(codec, on)} | {' | '.join(said_by_teacher(one.out))}"
    with whole_path(kept) as partial:
        partial.write_text(json.dumps(asked | {"row": row}))
    return row


def said_by_teacher(out: Path) -> list[str]:
    """Both of its terms, as the last line of `valid` in the log has them; - for none."""
    last = {}
    for line in (out / "log.jsonl").read_text().splitlines():
        figures = json.loads(line)
        if figures["kind"] == "valid" and figures["stage"] == STAGE:
            last = figures
    return [f"{last[name]:.3f}" if name in last else "-" for name in TAUGHT]


def table(rows: dict[str, str], on: Shared) -> str:
    """Markdown, a line an ablation."""
    columns = f"steps | minutes | {headings(on)} | {' | '.join(TAUGHT)}"
    lines = [f"| | {columns} |", f"|---|{'---:|' * (columns.count('|') + 1)}"]
    return "\n".join([*lines, *(f"| {name} | {row} |" for name, row in rows.items())]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("packed", type=Path, metavar="PACKED")
    add("manifest", type=Path, metavar="MANIFEST")
    add("out", type=Path, metavar="OUT")
    add("tomls", type=Path, nargs="*", metavar="TOML", help="default: all of the folder ablations")
    add("--teacher", metavar="DIR", help="as of `vqspeech train`; for those that ask for one")
    add("--whisper", metavar="DIR", help="as of `vqspeech evaluate`: Whisper's words too")
    add("--steps", type=int, help=f"of each (default: {STEPS}, and with --minutes the TOML's)")
    add("--minutes", type=float, help="of each; its rate of learning falls only as steps say")
    add("--init", metavar="MODEL", help="begin with the weights of another model")
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    add("--limit", type=int, help="measure on so many held-out utterances (default: all)")
    args = parser.parse_args()
    if args.minutes is None and args.steps is None:
        args.steps = STEPS
    chosen = ablations(args.tomls, args.out, args.teacher)
    on = shared(args.packed, args.manifest, args.whisper, args.limit)
    make_folder(args.out)
    rows = {}
    for one in chosen:
        train(one, args)
        position = load_position(one.out)
        spent = f"{position.step} | {position.seconds / 60:.1f}"
        rows[one.toml.stem] = f"{spent} | {measured(one, on)}"
        with whole_path(args.out / TABLE_FILE) as partial:  # as far as it goes
            partial.write_text(table(rows, on))
    print(table(rows, on), end="")


if __name__ == "__main__":
    finish(main)
