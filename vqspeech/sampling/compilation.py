"""Word of what takes half a minute once: compiling kernels for this machine."""

import sys
from pathlib import Path

_announced: set[str] = set()


def announce_compilation(kernel) -> None:
    """Say on stderr, once, that a kernel must be compiled: the first call on a machine waits."""
    name = kernel.py_func.__module__
    if name in _announced or kernel.signatures:
        return
    _announced.add(name)
    source = Path(kernel.py_func.__code__.co_filename)
    made = Path(kernel.stats.cache_path).glob(f"{source.stem}.{kernel.py_func.__name__}-*.nbi")
    if not any(index.stat().st_mtime >= source.stat().st_mtime for index in made):
        print(
            "vqspeech: compiling the sampler for this machine, once (up to half a minute)",
            file=sys.stderr,
        )
