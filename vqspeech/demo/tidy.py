"""The one folder that the page keeps files in: private, swept while it runs, gone afterwards."""

import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from vqspeech.locks import held, remove_dead

PREFIX = "vqspeech-demo-"


class Folder:
    """A temporary folder whose files vanish `age` seconds after they were last handed out.

    `keep()` spares what lies in it at that moment (examples). Use it as a context manager.
    """

    def __init__(self, age: float, every: float):
        remove_dead(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))  # what a killed page left
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = contextlib.ExitStack()
        self._lock.enter_context(held(self.path))
        self._age, self._every, self._kept = age, every, set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vqspeech-tidy", daemon=True)

    def __enter__(self) -> "Folder":
        self._thread.start()
        return self

    def __exit__(self, kind, value, traceback) -> None:
        self._stop.set()
        self._thread.join()
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()

    def keep(self) -> None:
        """Spare the files that are there now."""
        self._kept = set(self.files())

    def files(self) -> list[Path]:
        """The files in the folder, at any depth."""
        return [Path(here, name) for here, _, names in os.walk(self.path) for name in names]

    def sweep(self) -> None:
        """Remove the files, and the empty folders, that have grown old."""
        before = time.time() - self._age
        for here, _, names in os.walk(self.path, topdown=False):
            for name in names:
                path = Path(here, name)
                with contextlib.suppress(OSError):  # somebody else was quicker
                    if path not in self._kept and path.lstat().st_ctime < before:
                        path.unlink()
            # A folder just made may be about to take a file; one that is not empty stays.
            with contextlib.suppress(OSError):
                if Path(here) != self.path and Path(here).stat().st_mtime < before:
                    os.rmdir(here)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.sweep()
