import threading

import pytest

from vqspeech.parallel import mapped_ahead


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
