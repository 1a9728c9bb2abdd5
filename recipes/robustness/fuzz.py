"""Encode damaged files by the thousand: each is read or refused in one line, whatever is in it.

    python recipes/robustness/fuzz.py --files 200000 --seed 0 --workers 2 --out runs/fuzz

Sounds in every container that can be made here (`seeds.py`) are damaged (`mutations.py`) and given
to `vqspeech encode` (`victim.py`). A traceback, an exit status but 0 and 2, more than 10 s, more
than 1.5 GB with interpreter and model, a half-written output, a file left open or a crash is a
failure; the run goes on, keeps the file in OUT/failed, and ends with status 1. What a run has done
stands in OUT/outcomes.csv: the same command goes on where it was stopped, and tries the failures
again. Every file can be made again by its number: --only N.
"""

import argparse
import csv
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields, replace
from itertools import islice
from pathlib import Path

from folder import run_folder
from seeds import kept_sounds
from victim import READ, REFUSED, Outcome, Task, mutant_of
from watch import Watched

BATCH = 50
"""Files handed to a process at once."""
LOG_SECONDS = 30.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--files", type=int, default=200_000, help="how many (default: 200000)")
    add("--seed", type=int, default=0, help="of what is done to them (default: 0)")
    add("--workers", type=int, default=2, help="processes of one thread each (default: 2)")
    add("--out", type=Path, required=True, help="folder of the run")
    add("--processes", type=int, default=0, help="how many go through the whole program too")
    add("--folder", type=int, default=0, help="how many are encoded as a folder at the end")
    add("--model", help="folder of a model (default: the shipped one)")
    add("--only", type=int, help="this one file, kept as OUT/N.EXTENSION")
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    sounds = kept_sounds(args.out / "sounds")
    task = Task(args.out, Path("scratch"), args.seed, args.model)
    if args.only is not None:
        file = mutant_of(task, args.only, sounds)
        path = args.out / f"{args.only}.{file.suffix}"
        path.write_bytes(file.data)
        print(f"{path}: {file.container}, {file.mutation}, {len(file.data)} bytes")
        return 0
    found = _kept(args.out / "outcomes.csv")
    numbers = [number for number in range(args.files) if number not in found]
    step = max(1, args.files // args.processes) if args.processes else 0
    real = frozenset(range(0, args.files, step)) if step else frozenset()
    for outcome in _recorded(args.out, _progress(_run(task, numbers, args.workers, real), numbers)):
        found[outcome.number] = outcome
        if outcome.verdict not in (READ, REFUSED):
            _keep(task, outcome, sounds)
    outcomes = [found[number] for number in sorted(found) if number < args.files]
    report = table(outcomes, len(sounds))
    fault = run_folder(task, outcomes[: args.folder], sounds) if args.folder else ""
    if args.folder:
        report += f"\n\nencode of a folder of {args.folder} of them: {fault or 'as one by one'}"
    (args.out / "report.txt").write_text(report + "\n")
    print(report)
    failed = any(outcome.verdict not in (READ, REFUSED) for outcome in outcomes)
    return int(failed or bool(fault))


def _run(task: Task, numbers: list[int], workers: int, real: frozenset[int]) -> Iterator[Outcome]:
    """The outcomes of files, as they come."""
    left = iter(numbers)
    batches = iter(lambda: list(islice(left, BATCH)), [])
    with Watched(task, workers, real) as watched:
        yield from watched.outcomes(batches)


def _kept(path: Path) -> dict[int, Outcome]:
    """What was done before; failures are not: they are tried again."""
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        rows = [Outcome(int(n), c, m, v, x, float(s), int(b)) for n, c, m, v, x, s, b in
                csv.reader(file)]  # fmt: skip
    return {row.number: row for row in rows if row.verdict in (READ, REFUSED)}


def _recorded(out: Path, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    with open(out / "outcomes.csv", "a", newline="", buffering=1) as file:
        rows = csv.writer(file)
        for outcome in outcomes:
            rows.writerow(astuple(replace(outcome, seconds=round(outcome.seconds, 4))))
            yield outcome


def _progress(outcomes: Iterable[Outcome], numbers: list[int]) -> Iterator[Outcome]:
    """A line now and then: how many, how fast, until when."""
    start = shown = time.monotonic()
    failed = 0
    for done, outcome in enumerate(outcomes, 1):
        yield outcome
        if outcome.verdict not in (READ, REFUSED):
            failed += 1
            print(f"{outcome.number}: {outcome.container}, {outcome.mutation}: {outcome.verdict}",
                  flush=True)  # fmt: skip
        if time.monotonic() - shown > LOG_SECONDS:
            shown = time.monotonic()
            rate = done / (shown - start)
            minutes = (len(numbers) - done) / rate / 60
            print(f"{done} of {len(numbers)}, {failed} failed, {rate:.0f} a second, "
                  f"{minutes:.0f} min left", flush=True)  # fmt: skip


def _keep(task: Task, outcome: Outcome, sounds: list) -> None:
    """A file that failed, and what became of it beside it."""
    file = mutant_of(task, outcome.number, sounds)
    folder = task.out / "failed"
    folder.mkdir(exist_ok=True)
    (folder / f"{outcome.number}.{file.suffix}").write_bytes(file.data)
    lines = [f"{field.name}: {getattr(outcome, field.name)}" for field in fields(outcome)]
    (folder / f"{outcome.number}.txt").write_text("\n".join(lines) + "\n")


def table(outcomes: list[Outcome], sounds: int) -> str:
    """What became of the files, by container and by mutation."""
    parts = [f"{len(outcomes):,} files from {sounds} sounds"]
    for name in ("container", "mutation"):
        groups = defaultdict(list)
        for outcome in outcomes:
            groups[getattr(outcome, name)].append(outcome)
        head = f"\n{name:24}{'read':>9}{'refused':>9}{'failed':>8}{'library':>9}" \
               f"{'longest':>10}{'memory':>10}"  # fmt: skip
        parts.append(head)
        parts += [_row(key, groups[key]) for key in sorted(groups)]
        parts.append(_row("all", outcomes))
    return "\n".join(parts)


def _row(name: str, outcomes: list[Outcome]) -> str:
    verdicts = [outcome.verdict for outcome in outcomes]
    read, refused = verdicts.count(READ), verdicts.count(REFUSED)
    library = sum(bool(outcome.library) for outcome in outcomes)
    longest = max((outcome.seconds for outcome in outcomes), default=0)
    largest = max((outcome.mebibytes for outcome in outcomes), default=0)
    failed = len(outcomes) - read - refused
    return f"{name:24}{read:9}{refused:9}{failed:8}{library:9}{longest:8.2f} s{largest:6} MiB"


if __name__ == "__main__":
    sys.exit(main())
