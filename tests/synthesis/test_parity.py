"""Codes that were cut at an odd place are noticed, and no others are."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic_voice import sung

from vqspeech import Codec, Codes
from vqspeech.errors import InputWarning

SENTENCE = Path(__file__).parents[2] / "egs" / "sentence.flac"


@pytest.fixture(scope="module")
def codec():
    """The shipped one, whose two codebooks take turns, and which has a prior."""
    return Codec.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def sentence(codec):
    return codec.encode(*soundfile.read(SENTENCE)).indices


def test_codes_cut_at_an_odd_place(codec, sentence):
    for wrong in (sentence[1:], sentence[7:].tolist(), Codes(sentence[3:], 222 * 320, 320)):
        with pytest.warns(InputWarning, match="wrong codebooks"):
            codec.as_codes(wrong)
    with pytest.warns(InputWarning, match="frame 2") as caught:
        codec.decode(np.concatenate([sentence, sentence]), "libri-19", preview=True)
    assert caught[0].filename == __file__, "an odd number of codes came before"
    with pytest.warns(InputWarning, match="^codes 1: "):
        codec.decode_many([sentence, sentence[1:]], "libri-19", preview=True)


def test_no_false_alarms(codec, sentence):
    random, sounds = np.random.default_rng(0), [sung(4.0, low, 1.6 * low)[0] for low in (80, 200)]
    sounds += [np.zeros(64_000), 0.1 * random.standard_normal(64_000)]
    sounds.append(0.1 * np.sin(np.arange(64_000) * 0.05))
    whole = codec.as_codes(Codes(sentence, len(sentence) * 320, 320))
    joined = Codes.join([whole, whole[2:77], whole[:50]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for codes in (sentence, sentence[:40], sentence[40:], sentence[1:20], joined.indices):
            codec.as_codes(codes)
        for sound in sounds:
            codec.as_codes(codec.encode(sound).indices)
        codec.as_codes(random.integers(0, 1024, 500))
        codec.as_codes(codec.generate_codes("libri-19", 5, seed=1).indices)


def test_a_model_without_turns_or_prior_is_not_asked(tiny_prior_model, paired_model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for folder in (tiny_prior_model, paired_model):
            Codec.from_pretrained(folder, "cpu").as_codes(np.arange(200) % 4)
