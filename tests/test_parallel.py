import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import processes
import pytest
from processes import have_ended, is_alive

from vqspeech.endings import ENDING
from vqspeech.errors import InputError
from vqspeech.files import whole_file
from vqspeech.parallel import cores, map_processes, mapped_ahead


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_are_in_order_whichever_is_ready_first(workers):
    gates = [threading.Event() for _ in range(7)]
    gates[-1].set()

    def call(i):
        if i + 1 < len(gates) and workers > 1 and i % 2 == 0:
            gates[i].wait(5)  # until the one after it is done
        if i:
            gates[i - 1].set()
        return i * i

    assert list(mapped_ahead(call, range(7), workers)) == [i * i for i in range(7)]


def test_takes_no_more_items_than_it_has_workers():
    taken = []

    def items():
        for i in range(20):
            taken.append(i)
            yield i

    results = mapped_ahead(str, items(), 3)
    assert next(results) == "0" and len(taken) == 4
    results.close()
    assert len(taken) == 4


def test_an_exception_comes_out_in_its_place():
    def call(i):
        if i == 2:
            raise ValueError("two")
        return i

    results = mapped_ahead(call, range(5), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_nothing_in_nothing_out():
    assert list(mapped_ahead(str, [], 2)) == []


def doubled(n):
    if n == 13:
        raise ValueError("thirteen")
    return 2 * n


def killed(n):
    if n == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def begin(value):
    os.environ["VQSPEECH_TEST_BEGUN"] = value


def begun(_):
    names = ("VQSPEECH_TEST_BEGUN", "OMP_NUM_THREADS")
    ignored = all(signal.getsignal(number) == signal.SIG_IGN for number in ENDING)
    return os.getpid(), ignored, *(os.environ.get(name) for name in names)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_processes_give_results_in_order(workers):
    assert list(map_processes(doubled, range(9), workers)) == list(range(0, 18, 2))


def test_items_are_taken_as_fast_as_they_are_worked_through():
    taken = []

    def items():
        for i in range(50):
            taken.append(i)
            yield i

    results = map_processes(doubled, items(), 2, queued=3)
    assert next(results) == 0 and len(taken) == 7
    results.close()
    assert len(taken) == 7


def test_every_process_begins_with_one_thread_and_leaves_signals_to_the_parent():
    found = set(map_processes(begun, range(4), 1, partial(begin, "yes")))
    assert found == {(next(iter(found))[0], True, "yes", "1")}
    assert next(iter(found))[0] != os.getpid()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_exception_of_a_process_comes_out_in_its_place(workers):
    results = map_processes(doubled, [1, 13, 2], workers)
    assert next(results) == 2
    with pytest.raises(ValueError, match="thirteen"):
        next(results)


def test_a_killed_process_is_an_input_error_that_says_what_to_do():
    with pytest.raises(InputError, match="a worker was killed.*take fewer --jobs"):
        list(map_processes(killed, range(4), 1, advice="take fewer --jobs"))


PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from processes import busy
from vqspeech.parallel import map_processes
if __name__ == "__main__":
    list(map_processes(busy, sys.argv[2:], 2))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_end_with_a_parent_that_is_killed():
    where = str(Path(processes.__file__).parent)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, where, "compiled", "asleep"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    try:
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(map(is_alive, workers))
    finally:
        parent.kill()
    parent.communicate(timeout=30)  # until nobody has its output open
    assert have_ended(workers)


def begun_and_busy(folder, n):
    with whole_file(folder / str(n)) as file:
        file.write(b"half")
        file.flush()
        (folder / f"begun-{n}").touch()
        if n:
            time.sleep(1000)


def test_closing_ends_busy_processes_and_what_they_have_half_written(tmp_path):
    results = map_processes(partial(begun_and_busy, tmp_path), range(3), 2)
    next(results)
    while not (tmp_path / "begun-1").exists():
        time.sleep(0.01)
    results.close()
    left = sorted(os.listdir(tmp_path))
    assert left[:3] == ["0", "begun-0", "begun-1"] and set(left[3:]) <= {"begun-2"}


def test_there_is_a_core():
    assert cores() >= 1
