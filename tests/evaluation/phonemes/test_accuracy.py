import numpy as np
import pytest

from vqspeech.errors import InputError
from vqspeech.evaluation.phonemes import accuracy as phonemes


def test_each_code_takes_its_most_frequent_phoneme():
    codes = np.array([0, 0, 0, 1, 1, 2, 2])
    heard = np.array([2, 2, 1, 0, 0, 1, 0])
    # Code 2 is a tie, and 3 was never seen: 0 is the most frequent of all.
    assert phonemes.most_frequent(codes, heard, 4, 3).tolist() == [2, 0, 0, 0]


def test_the_mapping_of_one_half_is_judged_on_the_other():
    first = np.array([True] * 4 + [False] * 4)
    codes = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    heard = np.array([0, 0, 1, 1, 0, 0, 0, 1])
    # Forth: 0 -> 0, 1 -> 1, of which one of four is wrong. Back: 1 is a tie, taken for 0.
    assert phonemes.cross_accuracy(codes, heard, first, 2, 2) == (0.625, 0.75, 0.5)


def corpus(known: float, utterances: int = 60, size: int = 16, seed: int = 0):
    """Labels and codes of which a share `known` tells the phoneme; a third of it is silence."""
    rng = np.random.default_rng(seed)
    names = np.array(["SIL", "AH", "B", "K", "SIL", "S"])
    labels, codes = [], []
    for _ in range(utterances):
        said = rng.integers(len(names), size=50)
        told = np.where(rng.random(50) < known, said, rng.integers(len(names), size=50))
        codes.append(told + len(names) * rng.integers(2, size=50))
        labels.append([*names[said], None, None])
        codes[-1] = np.append(codes[-1], [size - 1, size - 1]).astype(np.uint16)
    return labels, {"codes": codes}


@pytest.mark.parametrize("known", [0.0, 0.5, 1.0])
def test_accuracy_is_what_the_codes_know(known):
    frames = phonemes.gather(*corpus(known), seed=1)
    assert len(frames.phonemes) == 60 * 50 and frames.names == ("AH", "B", "K", "S", "SIL")
    found = phonemes.accuracies(frames, 16, seed=0)
    # Nothing known: the majority, silence. Else a told phoneme is one of six names, two of which
    # are silence, and right where it is told or guessed.
    silent, other = known + (1 - known) / 3, known + (1 - known) / 6
    right = silent / 3 + other * 2 / 3 if known else 1 / 3
    assert found["codes"].mean == pytest.approx(right, abs=0.04)
    assert found["shuffled"].mean == pytest.approx(1 / 3, abs=0.03)
    assert found["majority"].mean == pytest.approx(1 / 3, abs=0.03)
    speech = phonemes.accuracies(frames.without_silence(), 16, seed=0)
    assert speech["majority"].mean == pytest.approx(1 / 4, abs=0.03)
    if known == 1:
        assert speech["codes"].mean == 1


def test_halves_are_of_whole_utterances_and_seeded():
    labels, codes = corpus(1.0, utterances=7)
    one, same, other = (phonemes.gather(labels, codes, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.first, same.first)
    assert not np.array_equal(one.first, other.first)
    whole = one.first.reshape(7, 50)
    assert (whole.all(1) | ~whole.any(1)).all() and whole[:, 0].sum() == 4


def test_too_few_frames_are_refused():
    frames = phonemes.gather(*corpus(1.0, utterances=4), seed=0)
    phonemes.check_enough(frames, 12, 25.0)
    with pytest.raises(InputError, match="at least 16 s"):
        phonemes.check_enough(frames, 50, 25.0)
    nothing = phonemes.gather([[None], [None]], {"codes": [np.zeros(1), np.zeros(1)]}, seed=0)
    with pytest.raises(InputError, match="0 frames"):
        phonemes.check_enough(nothing, 2, 25.0)
