import math

import numpy as np
import pytest

from vqspeech.evaluation.usage import CodebookUsage


def test_an_even_histogram():
    usage = CodebookUsage(8)
    usage.add(np.array([0, 1, 2, 3]), 4 * 320, 150.0)
    usage.add(np.array([3, 2, 1, 0]), 4 * 320, 150.0)
    found = usage.summary()
    assert (found["codes"], found["used"], found["dead"], found["codebook_size"]) == (8, 4, 4, 8)
    assert found["perplexity"] == pytest.approx(4)
    assert found["bits_per_second"] == pytest.approx(150)
    assert found["entropy_bits_per_second"] == pytest.approx(2 * 50)


def test_one_code_alone_and_none_at_all():
    usage = CodebookUsage(4)
    assert usage.summary()["perplexity"] == 1
    usage.add(np.zeros(10, int), 3200, 100.0)
    found = usage.summary()
    assert found["perplexity"] == 1 and found["dead"] == 3
    assert not math.copysign(1, found["entropy_bits_per_second"]) * found["entropy_bits_per_second"]
