import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.evaluation.metrics import words

SENTENCES = st.lists(st.sampled_from("abc"), max_size=8)


def test_words_are_compared_without_case_marks_and_abbreviations():
    found = words.normalise("Mr. O\u2019Neil's \"cat\", SAID 'no'!")
    assert found == ["mister", "o'neil's", "cat", "said", "no"]
    assert words.normalise("MISTER 42 --") == ["mister"]


@pytest.mark.parametrize(
    "heard, hits, errors",
    [("a b c d", 4, 0), ("a x c d", 3, 1), ("a c d", 3, 1), ("a b x c d y", 4, 2), ("", 0, 4)],
)
def test_alignment(heard, hits, errors):
    assert words.align(list("abcd"), heard.split()) == (hits, errors)


def test_hits_and_errors_in_percent():
    said, heard = list("abcd"), list("abxcdy")
    assert words.words_right(said, heard) == 100
    assert words.word_error(said, heard) == 50
    assert math.isnan(words.words_right([], heard)) and math.isnan(words.word_error([], heard))


@given(SENTENCES, SENTENCES)
def test_alignment_is_consistent(said, heard):
    hits, errors = words.align(said, heard)
    longest = max(len(said), len(heard))
    assert 0 <= hits <= min(len(said), len(heard))
    assert longest - hits <= errors <= longest
    assert words.align(said, said) == (len(said), 0)
    assert words.align(heard, said) == (hits, errors)


def test_the_recogniser_does_not_remember(voice):
    noise = (0.1 * np.random.default_rng(0).standard_normal(8000)).astype(np.float32)
    voice = voice[:16_000]
    first = words.recognise(voice)
    words.recognise(noise)
    assert words.recognise(voice) == first


@pytest.mark.parametrize("samples", [0, 1, 3999, 16_000])
def test_nothing_is_heard_in_silence(samples):
    assert words.recognise(np.zeros(samples, np.float32)) == []
