"""Kills the program at random moments, and looks at what it leaves.

    python recipes/robustness/kills.py --runs 500 --seed 0

Every verb is started for real, on small inputs, and sent SIGTERM (alone, or with all of its
processes, as a terminal or a cluster does it) or SIGKILL at a moment drawn evenly from how long it
takes undisturbed: in seconds of processors, so that a busy machine does not move it. Then

- it has ended, by SIGTERM with status 143 and at most one line, and none of its processes is left,
- whatever stands under a final name is whole, and what an undisturbed run writes,
- the next run, with --resume where there is one, ends with just what an undisturbed run ends with,
- and nothing hidden is left.

Prints a table by verb and signal; status 1 and a line for each violation. Linux.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cases import Case, cases, make_inputs
from snapshots import Snapshot, hidden, snapshot

MARK = "VQSPEECH_KILLED_RUN"
"""Environment variable that all processes of a run have."""
END_SECONDS, GONE_SECONDS = 20.0, 10.0
"""How long it may take to end after SIGTERM, and its processes to be gone, on a busy machine."""
POLL_SECONDS = 0.005
START_SECONDS = 0.1
"""Until the program has its own handlers: Python itself, and what `vqspeech.cli.main` loads."""
HOW = {
    "SIGTERM": (signal.SIGTERM, False),
    "SIGTERM to all": (signal.SIGTERM, True),
    "SIGKILL": (signal.SIGKILL, False),
}


@dataclass
class Undisturbed:
    """What a case leaves, says on stdout and takes, in seconds of processors, if nobody disturbs
    it."""

    files: Snapshot
    said: bytes
    seconds: float


@dataclass
class Outcome:
    """What became of one run; wrong: a line for each violation."""

    case: str
    how: str
    was_killed: bool = True
    wrong: list[str] = field(default_factory=list)


class Process:
    """A case started in `folder`, with its output in files beside it."""

    def __init__(self, case: Case, folder: Path, mark: str, again: bool = False):
        self._said = [folder.with_suffix(suffix) for suffix in (".out", ".err")]
        words = [*case.words, *(case.again if again else ())]
        with open(self._said[0], "wb") as out, open(self._said[1], "wb") as err:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "vqspeech", *words],
                cwd=folder,
                env=os.environ | {MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                process_group=0,
            )

    @property
    def out(self) -> bytes:
        return self._said[0].read_bytes()

    @property
    def err(self) -> str:
        return self._said[1].read_text(errors="replace")


def left_of(mark: str) -> list[int]:
    """Processes, no zombies, that have `mark` in their environment."""
    wanted, found = f"{MARK}={mark}\0".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if state != "Z" and wanted in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue  # ended meanwhile
    return found


def used_by(pid: int) -> float:
    """Seconds of processors that a process and its children, ended ones too, have used so far."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return own + sum(used_by(int(child)) for child in children)


def undisturbed(case: Case, folder: Path) -> Undisturbed:
    """Run a case twice in new folders: the same has to come out, and the second is timed."""
    found = []
    for name in ("first", "second"):
        place = folder / f"{case.name.replace(' ', '-')}-{name}"
        place.mkdir()
        process = Process(case, place, "none")
        _, status, used = os.wait4(process.popen.pid, 0)
        if status != 0:
            raise SystemExit(f"kills.py: {case.name} fails undisturbed: {process.err}")
        seconds = used.ru_utime + used.ru_stime
        found.append(Undisturbed(snapshot(place), process.out, seconds))
    first, second = found
    if first.files != second.files or (case.speaks and first.said != second.said):
        names = {n for n in first.files | second.files if first.files.get(n) != second.files.get(n)}
        raise SystemExit(f"kills.py: {case.name} differs from run to run: {sorted(names)}")
    return second


def disturbed(case: Case, folder: Path, how: str, delay: float, wanted: Undisturbed) -> Outcome:
    """Kill one run of a case after `delay` seconds of processors, run it again, compare."""
    folder.mkdir()
    outcome = Outcome(case.name, how)
    number, to_all = HOW[how]
    process = Process(case, folder, folder.name)
    while process.popen.poll() is None and used_by(process.popen.pid) < delay:
        time.sleep(POLL_SECONDS)
    outcome.was_killed = process.popen.poll() is None
    if outcome.was_killed:
        (os.killpg if to_all else os.kill)(process.popen.pid, number)
    outcome.wrong += _ended(
        process, number if outcome.was_killed else 0, folder.name, delay < START_SECONDS
    )
    whole = snapshot(folder)  # raises nothing: what cannot be read has the reason for its digest
    for name, digest in whole.items():
        if "unreadable" in digest:
            outcome.wrong.append(f"{name}: {digest}")
        elif not case.grows and wanted.files.get(name) != digest:
            outcome.wrong.append(f"{name}: is not what an undisturbed run writes")
    again = Process(case, folder, folder.name, again=True)
    if again.popen.wait() != 0:
        outcome.wrong.append(f"the next run fails: {again.err.strip()[-300:]}")
    after = snapshot(folder)
    names = {name for name in after | wanted.files if after.get(name) != wanted.files.get(name)}
    if names or (case.speaks and again.out != wanted.said):
        outcome.wrong.append(f"the next run ends differently: {sorted(names) or 'stdout'}")
    outcome.wrong += [f"left: {name}" for name in hidden(folder)]
    return outcome


def _ended(process: Process, number: int, mark: str, early: bool) -> list[str]:
    """What is wrong with how a run ended that was sent a signal (0: none)."""
    wrong = []
    try:
        status = process.popen.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.popen.kill()
        status = process.popen.wait()
        wrong.append(f"does not end within {END_SECONDS:g} s")
    limit = time.monotonic() + GONE_SECONDS
    while (left := left_of(mark)) and time.monotonic() < limit:
        time.sleep(0.05)
    for pid in left:
        wrong.append(f"process {pid} is left")
        os.kill(pid, signal.SIGKILL)
    # 0: it was done already. -15: so early that Python itself had hardly begun.
    fine = (0, 143, -signal.SIGTERM) if early else (0, 143)
    if number == signal.SIGTERM and status not in fine:
        wrong.append(f"status {status}")
    if "Traceback" in process.err or (number == 0 and status != 0):
        wrong.append(f"status {status}, says: {process.err.strip()[-300:]}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of verbs, signals and moments")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side (default: 2)")
    parser.add_argument("--verbs", metavar="A,B", help="only cases whose names begin so")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="vqspeech-kills-") as name:
        folder = Path(name)
        make_inputs(folder / "in")
        chosen = cases(folder / "in")
        if args.verbs is not None:
            chosen = [c for c in chosen if c.name.startswith(tuple(args.verbs.split(",")))]
        known = {}
        with ThreadPoolExecutor(args.jobs) as pool:
            found = pool.map(lambda case: undisturbed(case, folder), chosen)
            for case, known[case.name] in zip(chosen, found, strict=True):
                print(
                    f"{case.name}: {known[case.name].seconds:.1f} s of processors undisturbed",
                    flush=True,
                )

        def one(job: tuple[int, Case, str, float]) -> Outcome:
            number, case, how, delay = job
            return disturbed(case, folder / f"run-{number:04}", how, delay, known[case.name])

        jobs = []
        for i in range(args.runs):  # each case equally often, with each signal equally often
            case = chosen[i % len(chosen)]
            how = list(HOW)[i // len(chosen) % len(HOW)]
            jobs.append((i, case, how, draw.uniform(0, known[case.name].seconds)))
        outcomes = []
        with ThreadPoolExecutor(args.jobs) as pool:
            for job, outcome in zip(jobs, pool.map(one, jobs), strict=True):
                outcomes.append(outcome)
                for line in outcome.wrong:
                    print(f"run {job[0]}: {outcome.case}, {outcome.how}: {line}", flush=True)
                if len(outcomes) % 20 == 0:
                    print(f"{len(outcomes)} of {args.runs} runs", flush=True)
    return report(outcomes)


def report(outcomes: list[Outcome]) -> int:
    """Print the table; 1 if anything was wrong."""
    runs = Counter((o.case, o.how) for o in outcomes)
    wrong = Counter((o.case, o.how) for o in outcomes if o.wrong)
    late = sum(not outcome.was_killed for outcome in outcomes)
    print("| case | " + " | ".join(HOW) + " |\n|---|" + "---:|" * len(HOW))
    for case in dict.fromkeys(outcome.case for outcome in outcomes):
        cells = (f"{runs[case, how]} ({wrong[case, how]} wrong)" for how in HOW)
        print(f"| {case} | " + " | ".join(cells) + " |")
    bad = sum(wrong.values())
    print(f"{len(outcomes)} runs, {late} of them done before the signal, {bad} wrong")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
