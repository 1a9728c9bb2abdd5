"""Damaged files as a folder: the whole program once, with its worker processes."""

import shutil
import subprocess
import sys
from collections.abc import Sequence

from seeds import Sound
from victim import READ, Outcome, Task, mutant_of

MAX_SECONDS = 1800


def run_folder(task: Task, outcomes: Sequence[Outcome], sounds: Sequence[Sound]) -> str:
    """Encode the files of `outcomes` as one folder; what went wrong, "" if nothing.

    What was read alone must have its codes, and there must be a line for each file that has none.
    """
    from vqspeech.audio.kinds import is_recording

    recordings, codes = task.out / "folder", task.out / "folder-codes"
    for folder in (recordings, codes):
        shutil.rmtree(folder, ignore_errors=True)
    recordings.mkdir()
    expected, number = set(), 0
    for outcome in outcomes:
        file = mutant_of(task, outcome.number, sounds)
        name = f"{outcome.number}.{file.suffix}"
        if is_recording(name):
            number += 1
            (recordings / name).write_bytes(file.data)
            expected |= {outcome.number} if outcome.verdict == READ else set()
    model = ["--model", task.model] if task.model else []
    command = [sys.executable, "-m", "vqspeech", "encode", str(recordings), str(codes), *model]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_SECONDS)
    made = {int(path.stem) for path in codes.rglob("*.npy")}
    errors = [line for line in done.stderr.splitlines() if line.startswith("vqspeech: error: ")]
    if done.returncode not in (0, 2) or "Traceback" in done.stderr:
        return f"exit status {done.returncode}: {done.stderr[-200:]}"
    if expected - made:
        return f"no codes of {sorted(expected - made)[:5]}"
    if len(made) + len(errors) - (1 if errors else 0) != number:
        return f"{len(made)} of {number} have codes, but there are {len(errors)} lines of errors"
    return ""
