"""Work in threads, in order, no further ahead than it can be used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

In, Out = TypeVar("In"), TypeVar("Out")


def mapped_ahead(call: Callable[[In], Out], items: Iterable[In], workers: int) -> Iterator[Out]:
    """`call` of each item, in order, in up to `workers` threads.

    Items are taken in the caller's thread, at most `workers` ahead of what is yielded, so memory
    does not grow with their number. An exception of `call` comes out where its result would.
    """
    waiting = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(call, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
