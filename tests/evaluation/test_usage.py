import math

import numpy as np
import pytest

from vqspeech.config.networks import QuantizerConfig
from vqspeech.evaluation.usage import CodebookUsage, in_words


def test_an_even_histogram():
    usage = CodebookUsage(QuantizerConfig(codebook_size=8))
    usage.add(np.array([0, 1, 2, 3]), 4 * 320, 150.0)
    usage.add(np.array([3, 2, 1, 0]), 4 * 320, 150.0)
    found = usage.summary()
    assert (found["codes"], found["used"], found["dead"], found["codebook_size"]) == (8, 4, 4, 8)
    assert found["perplexity"] == pytest.approx(4)
    assert found["bits_per_second"] == pytest.approx(150)
    assert found["entropy_bits_per_second"] == pytest.approx(2 * 50)


def test_one_code_alone_and_none_at_all():
    usage = CodebookUsage(QuantizerConfig(codebook_size=4))
    assert usage.summary()["perplexity"] == 1
    usage.add(np.zeros(10, int), 3200, 100.0)
    found = usage.summary()
    assert found["perplexity"] == 1 and found["dead"] == 3
    assert not math.copysign(1, found["entropy_bits_per_second"]) * found["entropy_bits_per_second"]


def test_two_codebooks_are_counted_apart():
    usage = CodebookUsage(QuantizerConfig(codebook_size=4, codebooks=2))
    usage.add(np.array([0, 3, 1, 3, 0, 3, 1]), 7 * 320, 100.0)
    found = usage.summary()
    assert (found["codebook_size"], found["codebooks"], found["entries"]) == (4, 2, 8)
    assert (found["used"], found["dead"]) == (3, 5)
    # Four frames of the first know two codes, three of the second one.
    assert found["perplexity"] == pytest.approx(2 ** (4 / 7))
    assert "2 codebooks of 4 each: 3 of 8 codes used, 5 dead" in in_words(found)
