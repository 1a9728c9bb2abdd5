"""Worker threads and worker processes: the one place. No NumPy: a worker process must set its
number of threads before any library reads it."""

import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from vqspeech.errors import InputError

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
    with ThreadPoolExecutor(workers, thread_name_prefix="vqspeech") as pool:
        yield from _in_order(pool, call, items, ahead or workers)


def map_processes(
    call: Callable[[In], Out],
    items: Iterable[In],
    workers: int,
    start: Callable[[], object] | None = None,
    advice: str = "use fewer workers",
    queued: int = QUEUED_PER_WORKER,
) -> Generator[Out, None, None]:
    """`call` of each item, in order, in `workers` processes; 0: in this one.

    Processes are spawned (a fork would break the threads of torch and numba) with one thread each,
    and Ctrl-C is for the parent. call, start and items are pickled: functions of a module, or
    `functools.partial` of them. start: called first in each process. Items are taken only as fast
    as they are worked through, `queued` a worker. An exception of `call` comes out where its result
    would. Raises InputError, with `advice` on what to do, if a process is killed.
    """
    if workers < 1:
        if start is not None:
            start()
        yield from map(call, items)
        return
    # Bytes, for the process to load what they name only once its threads are set.
    with ProcessPoolExecutor(
        workers, get_context("spawn"), _start_worker, (pickle.dumps(start),)
    ) as pool:
        try:
            yield from _in_order(pool, call, items, workers * queued)
        except BrokenProcessPool:
            raise InputError(f"a worker was killed (out of memory?); {advice}") from None


def _in_order(pool: Executor, call: Callable, items: Iterable, ahead: int) -> Generator:
    waiting: deque = deque()
    try:
        for item in items:
            waiting.append(pool.submit(call, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _start_worker(start: bytes) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    begin = pickle.loads(start)
    if begin is not None:
        begin()
