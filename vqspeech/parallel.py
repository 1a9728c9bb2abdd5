"""Worker threads and worker processes: the one place. No NumPy: a worker process must set its
number of threads before any library reads it."""

import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TypeVar

from vqspeech.endings import ENDING, signal_parents_end
from vqspeech.errors import InputError
from vqspeech.files import drop_unfinished

In = TypeVar("In")
Out = TypeVar("Out")

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
QUEUED_PER_WORKER = 8
"""Items in flight for each worker process: enough to keep it busy, few enough to hold in memory."""


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def mapped_ahead(
    call: Callable[[In], Out], items: Iterable[In], workers: int, ahead: int | None = None
) -> Generator[Out, None, None]:
    """`call` of each item, in order, in up to `workers` threads.

    Items are taken in the caller's thread, at most `ahead` (default: `workers`) ahead of what is
    yielded, so memory does not grow with their number. An exception of `call` comes out where its
    result would.
    """
    waiting: deque = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="vqspeech") as pool:
        try:
            yield from _in_order(pool, call, items, ahead or workers, waiting)
        finally:
            for future in waiting:
                future.cancel()


def map_processes(
    call: Callable[[In], Out],
    items: Iterable[In],
    workers: int,
    start: Callable[[], object] | None = None,
    advice: str = "use fewer workers",
    queued: int = QUEUED_PER_WORKER,
) -> Generator[Out, None, None]:
    """`call` of each item, in order, in `workers` processes; 0: in this one.

    Processes are spawned (a fork would break the threads of torch and numba) with one thread each.
    Signals are for the parent: its processes end with it, whatever ends it, and at once where
    this generator is closed or fails; what they have half-written is removed. call, start and items
    are pickled: functions of a module, or `functools.partial` of them. start: called first in each
    process. Items are taken only as fast as they are worked through, `queued` a worker. An
    exception of `call` comes out where its result would. Raises InputError, with `advice` on what
    to do, if a process is killed.
    """
    if workers < 1:
        if start is not None:
            start()
        yield from map(call, items)
        return
    here, there = _Spawning().Pipe(duplex=False)
    on_main_thread = threading.current_thread() is threading.main_thread()
    # Bytes, for the process to load what they name only once its threads are set.
    about = (here, on_main_thread, pickle.dumps(start))
    with here, there, ProcessPoolExecutor(workers, _Spawning(), _start_worker, about) as pool:
        try:
            yield from _in_order(pool, call, items, workers * queued, deque())
        except BrokenProcessPool:
            raise InputError(f"a worker was killed (out of memory?); {advice}") from None
        except BaseException:
            there.close()  # which ends them; none of the futures is cancelled: the pool fails then
            raise


def _in_order(
    pool: Executor, call: Callable, items: Iterable, ahead: int, waiting: deque
) -> Generator:
    for item in items:
        waiting.append(pool.submit(call, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Process(SpawnProcess):
    """Begins with all ENDING signals held back, until `_start_worker` ignores them."""

    def start(self) -> None:
        with _held_back():
            super().start()


class _Spawning(SpawnContext):
    Process = _Process


@contextmanager
def _held_back() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(parent: Connection, by_main_thread: bool, start: bytes) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    threading.Thread(target=_end_with, args=(parent,), name="vqspeech-parent", daemon=True).start()
    if by_main_thread:  # the system takes the end of the thread for the parent's
        signal_parents_end(signal.SIGKILL)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    begin = pickle.loads(start)
    if begin is not None:
        begin()


def _end_with(parent: Connection) -> None:
    """Wait for the parent's end of a pipe to be closed: it wants this process gone, or is dead."""
    with suppress(EOFError, OSError):
        parent.recv_bytes()
    drop_unfinished()
    os._exit(1)
