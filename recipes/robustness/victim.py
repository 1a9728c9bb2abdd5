"""A process that encodes file after file as the command line does, and looks at what each leaves.

The model is loaded once: 2 s a file would be a week for 200,000. All else is the verb's own way, so
that exit status, lines on stderr and files are those that a user gets. `real_run` is the whole
program in a process of its own, for a sample.
"""

import contextlib
import ctypes
import functools
import gettext
import os
import random
import resource
import shutil
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from mutations import Mutant, mutant
from seeds import Sound, kept_sounds, written

READ, REFUSED = "read", "refused"
MEBIBYTE = 1 << 20
SPARE_FILES = 3
"""Open for once, or until an error that holds them is forgotten; what stays open adds up."""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts resident memory."""
SLOWEST_START_SECONDS = 60.0
"""A whole program may take this much longer than the file itself: it loads the model."""

PROGRAMS = os.environ.get("PATH", "")
C_LIBRARY = ctypes.CDLL(None)
"""Its stdout has a buffer of its own."""

BY_PROGRAM = ("MP4", "Matroska", "ADTS", "ASF", "AMR", "AC-3", "Ogg Speex")
"""Containers that ffmpeg reads, a process for each file."""
WEIGHTS = {
    **dict.fromkeys(("WAV", "FLAC", "MP3", "OGG", "AIFF", "CAF", "AU", "W64", "RF64"), 2.5),
    **dict.fromkeys(BY_PROGRAM, 0.12),
}
"""What people have is damaged more often than the rest; what takes a program of its own, less."""


WITHOUT_FFMPEG = 0.97
"""Share of the files, but for those of BY_PROGRAM, that are encoded as on a machine that has no
ffmpeg, which would be started for each that libsndfile refuses."""


@dataclass(frozen=True)
class Task:
    """What a process is started with: folders of the run and of its own, seed, model (None: the
    shipped one)."""

    out: Path
    scratch: Path
    seed: int
    model: str | None


@dataclass(frozen=True)
class Outcome:
    """Of one file: READ, REFUSED or what went wrong; the first line that a library said, on either
    stream; seconds (`running_seconds`); the process's largest resident memory meanwhile, in MiB."""

    number: int
    container: str
    mutation: str
    verdict: str
    library: str
    seconds: float
    mebibytes: int


def mutant_of(task: Task, number: int, sounds: Sequence[Sound]) -> Mutant:
    return mutant(number, task.seed, sounds, WEIGHTS)


def serve(task: Task, link: Connection, real: frozenset[int]) -> None:
    """Work through the lists of numbers that come over `link` until None comes.

    Before each file its number goes back, then its Outcome. Numbers in `real` are encoded by the
    whole program too, which must come to the same end.
    """
    encode = _Encode(task)
    sounds = kept_sounds(task.out / "sounds")
    while (numbers := link.recv()) is not None:
        for number in numbers:
            link.send(number)
            file = mutant_of(task, number, sounds)
            outcome = encode(number, file)
            if number in real and outcome.verdict in (READ, REFUSED):
                link.send(number)
                outcome = real_run(task, file, outcome)
            link.send(outcome)


class _Encode:
    """The verb, with the model loaded."""

    def __init__(self, task: Task):
        import torch

        from vqspeech.codec import Codec

        torch.set_num_threads(1)
        loaded = Codec.from_pretrained(task.model, device="cpu")
        # The one thing that differs from a user's run.
        Codec.from_pretrained = classmethod(lambda cls, *args, **options: loaded)
        gettext.find = functools.cache(gettext.find)  # a third of the time of a refusal
        # As in a process of its own, where each is said for the first time.
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("always", RuntimeWarning)
        warnings.simplefilter("always", FutureWarning)
        self.folder = task.scratch
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        os.environ["TMPDIR"] = str(self.folder)
        self.said = os.open(self.folder.with_suffix(".stderr"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):  # libraries write to the descriptors, not to sys.stderr
            os.dup2(self.said, stream)
        self.descriptors = None
        plain = written(16_000, 1, "WAV", "PCM_16", "FILE")
        self(0, Mutant("WAV", "whole", plain, "wav"))  # what is imported at the first file

    def __call__(self, number: int, file: Mutant) -> Outcome:
        from vqspeech.cli.main import main

        path, out = self.folder / f"{number}.{file.suffix}", self.folder / f"{number}.npy"
        path.write_bytes(file.data)
        os.environ["PATH"] = search_path(number, file)
        os.ftruncate(self.said, 0)
        os.lseek(self.said, 0, os.SEEK_SET)
        reset_peak()
        start = running_seconds()
        try:
            status = main(["encode", str(path), str(out)])
        except BaseException:
            status = 1
            traceback.print_exc()
        sys.stderr.flush()
        sys.stdout.flush()
        C_LIBRARY.fflush(None)
        seconds = running_seconds() - start
        said = os.pread(self.said, os.fstat(self.said).st_size, 0).decode(errors="replace")
        verdict, library = judged(status, said, out)
        path.unlink(missing_ok=True)
        verdict = self._leftovers() or verdict
        size = peak_mebibytes()
        return Outcome(number, file.container, file.mutation, verdict, library, seconds, size)

    def _leftovers(self) -> str:
        """What the verb should have cleared away; "" if nothing."""
        left = os.listdir(self.folder)
        for name in left:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        open_now = _open_files()
        self.descriptors = self.descriptors or open_now
        if left:
            return f"left {left[0]}"
        return "left files open" if open_now > self.descriptors + SPARE_FILES else ""


def search_path(number: int, file: Mutant) -> str:
    """PATH for a file: with programs or without any."""
    draw = random.Random(number).random()
    without = draw < WITHOUT_FFMPEG and file.container not in BY_PROGRAM
    return "" if without else PROGRAMS


def judged(status: int, said: str, out: Path) -> tuple[str, str]:
    """(verdict, first line of a library) of an encode that ended; a codes file is removed."""
    lines = said.splitlines()
    own = [line for line in lines if line.startswith("vqspeech: ")]
    errors = [line for line in own if line.startswith("vqspeech: error: ")]
    made = out.exists()
    good = made and _is_codes(out)
    out.unlink(missing_ok=True)
    library = next((line[:80] for line in lines if not line.startswith("vqspeech: ")), "")
    if "Traceback (most recent call last)" in said:
        return f"traceback: {lines[-1][:150]}", library
    if status == 0:
        return (READ if good and not errors else "status 0 without codes"), library
    if status == 2:
        return (REFUSED if len(errors) == 1 and not made else f"status 2: {said[:150]}"), library
    return f"status {status}", library


def _is_codes(path: Path) -> bool:
    indices = np.load(path, allow_pickle=False)
    return indices.ndim == 1 and len(indices) > 0 and indices.dtype.kind == "u"


def real_run(task: Task, file: Mutant, expected: Outcome) -> Outcome:
    """`expected` again, by the program itself; another end than `expected.verdict` is a fault."""
    path = task.scratch / f"real.{file.suffix}"
    out = task.scratch / "real.npy"
    path.write_bytes(file.data)
    model = ["--model", task.model] if task.model else []
    command = [sys.executable, "-m", "vqspeech", "encode", str(path), str(out), *model]
    with open(task.scratch / "real.stderr", "w+b") as said:
        world = os.environ | {"PATH": search_path(expected.number, file)}
        process = subprocess.Popen(command, stdout=said, stderr=said, env=world)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    verdict, library = judged(process.returncode, text, out)
    path.unlink()
    os.unlink(task.scratch / "real.stderr")
    if verdict != expected.verdict:
        verdict = f"a process of its own: {verdict}, not {expected.verdict}"
    size = usage.ru_maxrss * RSS_UNIT // MEBIBYTE
    library = library or expected.library
    largest = max(size, expected.mebibytes)
    return replace(expected, verdict=verdict, library=library, mebibytes=largest)


def running_seconds(pid: int | str = "self") -> float:
    """A clock that stands still while the process waits for a core that others have (Linux)."""
    waited = 0
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/schedstat") as file:
        waited = int(file.read().split()[1])
    return time.monotonic() - waited / 1e9


def reset_peak() -> None:
    """Begin anew with the largest resident memory, where the system can (Linux)."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak_mebibytes() -> int:
    """Largest resident memory of this process since `reset_peak`; of all its life elsewhere."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        own = next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), own)
    return own * RSS_UNIT // MEBIBYTE


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
