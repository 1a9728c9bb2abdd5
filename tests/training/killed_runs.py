"""A run that is killed, or whose disk is full, again and again. Started as a process of its own:

    python killed_runs.py kill CORPUS OUT 3,1,4    SIGKILL before the 3rd, 1st, 4th operation
    python killed_runs.py full CORPUS OUT          no file may grow once the run has a checkpoint

Every attempt is a fork that goes on where the one before it ended. Operations are training steps
and whatever changes a name or begins a file of weights.
"""

import os
import resource
import signal
import sys
from pathlib import Path

import torch.utils.tensorboard  # noqa: F401 (here, so that not every fork imports it)
from tiny_runs import CONFIG

from vqspeech.checkpoint import model as checkpoint
from vqspeech.config.model import from_dict
from vqspeech.errors import InputError
from vqspeech.training import stage, state
from vqspeech.training.loop import train
from vqspeech.training.run import Options
from vqspeech.training.stage import StageRun

LARGEST_FILE = 4096
"""Bytes; a checkpoint of the tiny model is larger."""


def attempt(corpus: Path, out: Path) -> None:
    stage.LOG_EVERY, stage.previews = 1, lambda run, stage: {}
    options = {"device": "cpu", "mixed_precision": "no", "quiet": True}
    options = Options(corpus, out, resume=True, save_minutes=0, **options)
    train(from_dict(CONFIG), options)


def kill_before(number: int) -> None:
    """Have this process killed ahead of its operation `number`, in the middle of a weights file."""
    count = 0

    def counted(call, weights=False):
        def counting(*args, **kwargs):
            nonlocal count
            count += 1
            if count == number:
                if weights:
                    Path(args[1]).write_bytes(b"half a file")
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counting

    StageRun.step = counted(StageRun.step)
    os.rename, os.replace = counted(os.rename), counted(os.replace)
    checkpoint.save_file = counted(checkpoint.save_file, weights=True)
    state.save_file = counted(state.save_file, weights=True)


def fill_disk() -> None:
    """Let no file of this process grow any further."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))


def fork(prepare, corpus: Path, out: Path) -> int:
    """One attempt; the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            prepare()
            attempt(corpus, out)
        except InputError as error:
            print(f"refused: {error}", flush=True)
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def main() -> None:
    what, corpus, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if what == "full":
        fork(fill_disk, corpus, out)
        return
    for number in map(int, sys.argv[4].split(",")):
        print(fork(lambda number=number: kill_before(number), corpus, out), flush=True)
    fork(lambda: None, corpus, out)


if __name__ == "__main__":
    main()
