"""Processes that are watched while they work: one that dies, hangs or grows is put away, with the
file that it was at, and another takes its place."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path

from seeds import kept_sounds
from victim import MEBIBYTE, SLOWEST_START_SECONDS, Outcome, Task, mutant_of, running_seconds, serve

LOOK_SECONDS = 0.1
FILES_A_PROCESS = 5_000
"""Then a fresh one takes over, so that no process's own history is tested."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Limits:
    """Of one file: seconds (`running_seconds`); MiB in memory, interpreter and model included."""

    seconds: float = 10.0
    mebibytes: float = 1.5e9 / MEBIBYTE


@dataclass
class _Worker:
    process: object
    link: Connection
    scratch: Path
    left: list[int]
    """Numbers handed over that have no outcome yet; the first is the one at work."""
    began: float | None = None
    """When that one began; None between files."""
    done: int = 0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start inside have one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class Watched:
    """A pool of `workers` processes that encode; see `outcomes`."""

    def __init__(
        self,
        task: Task,
        workers: int,
        real: frozenset[int] = frozenset(),
        target: Callable[..., None] = serve,
        limits: Limits = Limits(),
    ):
        self.task, self.real, self.target, self.limits = task, real, target, limits
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="vqspeech-fuzz-", dir=memory))
        self.workers = [self._start(self.folder / str(i)) for i in range(workers)]

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *error) -> None:
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, scratch: Path, left: list[int] | None = None) -> _Worker:
        context = get_context("spawn")
        link, end = context.Pipe()
        task = replace(self.task, scratch=scratch)
        process = context.Process(target=self.target, args=(task, end, self.real), daemon=False)
        with _one_thread():
            process.start()
        end.close()
        worker = _Worker(process, link, scratch, left or [])
        if left:
            link.send(left)
        return worker

    def outcomes(self, batches: Iterator[list[int]]) -> Iterator[Outcome]:
        """Of every number of every batch, in the order in which they are done."""
        for worker in self.workers:
            self._hand(worker, batches)
        while busy := [worker for worker in self.workers if worker.left]:
            ready = wait([worker.link for worker in busy], LOOK_SECONDS)
            for worker in busy:
                if worker.link in ready:
                    yield from self._hear(worker)
                elif fault := self._fault(worker):
                    yield self._put_away(worker, fault)
                if not worker.left:
                    if worker.done >= FILES_A_PROCESS:
                        self._replace(worker)
                    self._hand(worker, batches)

    def _hand(self, worker: _Worker, batches: Iterator[list[int]]) -> None:
        worker.left = next(batches, [])
        if worker.left:
            worker.link.send(worker.left)

    def _hear(self, worker: _Worker) -> Iterator[Outcome]:
        try:
            message = worker.link.recv()
        except (EOFError, ConnectionResetError):
            worker.process.join()
            yield self._put_away(worker, f"crash: exit status {worker.process.exitcode}")
            return
        if isinstance(message, int):
            worker.began = running_seconds(worker.process.pid)
            return
        worker.left, worker.began, worker.done = worker.left[1:], None, worker.done + 1
        if message.mebibytes > self.limits.mebibytes:
            message = replace(message, verdict=f"memory: {message.mebibytes} MiB")
        yield message

    def _fault(self, worker: _Worker) -> str:
        """Why a process must not go on; "" if it may."""
        if worker.began is None:
            return ""
        real = worker.left[0] in self.real
        limit = self.limits.seconds + (SLOWEST_START_SECONDS if real else 0)
        seconds = running_seconds(worker.process.pid) - worker.began
        if seconds > limit:
            return f"hang: {seconds:.1f} s"
        size = _resident_mebibytes(worker.process.pid)
        return f"memory: {size:.0f} MiB" if size > self.limits.mebibytes else ""

    def _put_away(self, worker: _Worker, fault: str) -> Outcome:
        number, now = worker.left[0], running_seconds(worker.process.pid)
        seconds = max(0.0, now - worker.began) if worker.began else 0.0
        size = round(_resident_mebibytes(worker.process.pid))
        worker.process.kill()
        self._replace(worker, worker.left[1:])
        file = mutant_of(self.task, number, kept_sounds(self.task.out / "sounds"))
        return Outcome(number, file.container, file.mutation, fault, "", seconds, size)

    def _replace(self, worker: _Worker, left: list[int] | None = None) -> None:
        worker.process.kill()
        worker.process.join()
        worker.link.close()
        fresh = self._start(worker.scratch, left)
        worker.process, worker.link, worker.left = fresh.process, fresh.link, fresh.left
        worker.began, worker.done = None, 0


def _program(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:  # it has ended
        return ""


def _resident_mebibytes(pid: int | None) -> float:
    """Resident memory of a process, and of its children that have become another program, now."""
    try:
        program = os.readlink(f"/proc/{pid}/exe")
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = [one for one in file.read().split() if _program(one) != program]
        pids = [str(pid), *children]
        pages = 0
        for one in pids:
            with open(f"/proc/{one}/statm") as file:
                pages += int(file.read().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE
