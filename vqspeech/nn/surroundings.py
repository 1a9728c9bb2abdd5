"""The caller's settings of PyTorch and NumPy: kept away from our arithmetic, left as they were.

Autocast, a default device, inference mode and NumPy's errors belong to a thread, and are set for
the time of a call. The number of PyTorch's threads, the precision of its products and its default
type belong to the process, where others would notice: the first two are changed for moments, one
call beside another, the last only while constants are made; arithmetic names its types.
"""

import functools
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from inspect import isgenerator
from typing import Any, TypeVar

import numpy as np
import torch

Class = TypeVar("Class", bound=type)

PRECISE = "highest"
"""Of products of float32: with no other are codes the same."""
_imported_by = os.getpid()


@contextmanager
def undisturbed() -> Iterator[None]:
    """What the caller has set has no effect inside the block."""
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(np.errstate(all="ignore"))
        if torch.is_inference_mode_enabled():
            enter(torch.inference_mode(False))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                enter(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            enter(torch.device("cpu"))
        if _matmul_precision() != PRECISE or _precision.inside:
            enter(_precision)
        if is_forked():  # OpenMP would wait for ever for threads that are the parent's
            enter(one_thread)
        yield


def is_forked() -> bool:
    """Whether this process is a fork of one that may have used PyTorch."""
    return os.getpid() != _imported_by


class _ForMoments:
    """A block inside of which the process has one setting; the last call to leave it puts back what
    the first has found. of_threads: each thread has its own, which its last call puts back."""

    def __init__(
        self,
        get: Callable[[], Any],
        put: Callable[[Any], None],
        setting: Any,
        of_threads: bool = False,
    ):
        self._get, self._put, self._setting = get, put, setting
        self._of_threads = of_threads
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock, self.inside, self._found = threading.Lock(), 0, None
        self._thread = threading.local()  # its `inside`: blocks that the thread is in

    def found(self) -> Any:
        """The setting outside of all blocks."""
        with self._lock:
            return self._found if self.inside else self._get()

    def __enter__(self) -> None:
        with self._lock:
            if not self.inside:
                self._found = self._get()
            self.inside += 1
            self._thread.inside = getattr(self._thread, "inside", 0) + 1
            self._put(self._setting)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self.inside -= 1
            self._thread.inside -= 1
            if not (self._thread.inside if self._of_threads else self.inside):
                self._put(self._found)


_backends: Any = torch.backends  # whose types lack what is set when it is imported
_products = _backends.mkldnn.matmul, _backends.cuda.matmul


def _matmul_precision() -> str | tuple[str, ...]:
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # it was set in PyTorch's newer way, for each kind of device
        return tuple(kind.fp32_precision for kind in _products)


def _set_matmul_precision(found: str | tuple[str, ...]) -> None:
    if isinstance(found, str):
        torch.set_float32_matmul_precision(found)
        return
    for kind, precision in zip(_products, found, strict=True):
        kind.fp32_precision = precision


one_thread = _ForMoments(torch.get_num_threads, torch.set_num_threads, 1, of_threads=True)
"""Inside, the calling thread adds up as one thread does: how products are shared out among threads
decides how their sums are rounded."""
_precision = _ForMoments(_matmul_precision, _set_matmul_precision, PRECISE)


def threads() -> int:
    """How many threads PyTorch has been given."""
    return 1 if is_forked() else one_thread.found()


_constants = threading.RLock()


@contextmanager
def plain_constants() -> Iterator[None]:
    """Constants and modules made inside are on the CPU, of float32, whatever the caller's defaults
    are."""
    with _constants, torch.device("cpu"):
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(default)


def in_own_surroundings(function: Callable) -> Callable:
    """`undisturbed` around a function, and around each step of a generator that it returns."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        with undisturbed():
            found = function(*args, **options)
        return _step_by_step(found) if isgenerator(found) else found

    return wrapped


def _step_by_step(steps: Any) -> Generator:
    try:
        while True:
            try:
                with undisturbed():
                    found = next(steps)
            except StopIteration as end:
                return end.value
            yield found
    finally:
        steps.close()


def all_in_own_surroundings(kind: Class) -> Class:
    """`in_own_surroundings` for every public method of a class, and for its making."""
    for name, value in list(vars(kind).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(value, classmethod):
            setattr(kind, name, classmethod(in_own_surroundings(value.__func__)))
        elif callable(value):
            setattr(kind, name, in_own_surroundings(value))
    return kind
