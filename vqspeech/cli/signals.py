"""What ends the program from outside: Ctrl-C, `kill` and a closed terminal do the same.

The first such signal is raised as an exception, so that everything is put away, unless the work
puts it off (`endings.PutOff`); later ones are ignored. Should that take long, or the exception be
lost in some library, the process ends all the same. Only `vqspeech.cli.main` does this: who imports
the package has their own signals.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vqspeech.endings import ENDING, PutOff
from vqspeech.files import drop_unfinished

GRACE_SECONDS = 5.0
LOST_SECONDS = 0.05
"""Until a signal whose exception was lost (in a destructor, say) is raised once more."""


class Ended(KeyboardInterrupt):
    """One of the ENDING signals has come."""


class Ending:
    """Whether the program is being ended: `status` is what it then exits with, else None."""

    def __init__(self, for_good: bool):
        self.status: int | None = None
        self._for_good, self._over = for_good, threading.Event()
        self._before = {number: signal.getsignal(number) for number in ENDING}
        self._heeded = [n for n, handler in self._before.items() if handler != signal.SIG_IGN]
        self._hooks = sys.excepthook, sys.unraisablehook
        self._ear, self._mouth = os.pipe()
        os.set_blocking(self._mouth, False)
        self._wakeup = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="vqspeech-signals", daemon=True).start()

    def heed(self) -> None:
        """From now on the first signal raises `Ended`."""
        sys.excepthook, sys.unraisablehook = self._silent, self._again
        for number in self._heeded:
            signal.signal(number, self._raise)

    def ignore(self) -> None:
        """From now on signals do nothing: it has ended, or is about to."""
        for number in self._heeded:
            signal.signal(number, signal.SIG_IGN)

    def close(self) -> None:
        """Put everything back, unless the process ends anyway."""
        if self._for_good:
            return
        self._over.set()
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._mouth)
        sys.excepthook, sys.unraisablehook = self._hooks
        for number in self._heeded:
            signal.signal(number, self._before[number])

    def _raise(self, number: int, frame: object) -> None:
        self.ignore()
        self.status = 128 + number
        raise Ended(signal.Signals(number).name)

    def _silent(self, kind, value, traceback) -> None:
        """For libraries that print what is raised while they are being loaded."""
        if not isinstance(value, Ended):
            self._hooks[0](kind, value, traceback)

    def _again(self, lost) -> None:
        if not isinstance(lost.exc_value, Ended):
            self._hooks[1](lost)
            return
        number = signal.Signals[str(lost.exc_value)]
        signal.signal(number, self._raise)
        timer = threading.Timer(LOST_SECONDS, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()

    def _watch(self) -> None:
        """End the process where a signal has not ended it in time.

        Heard through a pipe that the system's handler writes to: Python's own waits for the main
        thread, which may be in compiled code.
        """
        while number := os.read(self._ear, 1):
            put_off = PutOff.current
            if number[0] not in ENDING or (put_off is not None and put_off.hears_first()):
                continue
            if not self._over.wait(GRACE_SECONDS):
                drop_unfinished()
                os._exit(128 + number[0])
        os.close(self._ear)


@contextmanager
def ended_by_signals(for_good: bool) -> Iterator[Ending | None]:
    """End the block at the first signal, quietly; none is heeded once it has ended.

    What is ignored already (`nohup`) stays so. for_good: the process ends with the block; else its
    signals are put back afterwards. Does nothing, and yields None, outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    ending = Ending(for_good)
    try:
        try:
            ending.heed()
            yield ending
        finally:
            ending.ignore()
    except BaseException as error:  # of libraries, too, that turn one exception into another
        if isinstance(error, KeyboardInterrupt) and ending.status is None:
            ending.status = 128 + signal.SIGINT
        if ending.status is None:
            raise
        drop_unfinished()
    finally:
        ending.close()
